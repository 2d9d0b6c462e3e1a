"""What a few labels say of the records without: a line through what the density has learnt from all of them."""

import torch
from sklearn.linear_model import LogisticRegression
from torch import Generator, Tensor

from unwonted.encode import Encoded
from unwonted.labels import UNLABELLED, Labelled, Taught
from unwonted.models.masked_mixture import MaskedMixture

__all__ = ["Teacher"]

STRENGTH = 0.1  # of the labels against the penalty ½‖w‖², as scikit-learn's C
MOST = 20_000  # labelled records to learn from, and records to standardise by
FARTHEST = 5.0  # standard deviations
LEAST_SPREAD = 1e-6
CHUNK = 2048


class Teacher:
    """P(class | features), logistic regression with a ridge penalty, fitted to the labelled records.

    The features of a record are the last layer of a density that was learnt without labels, and its inputs, each
    standardised and held within five deviations. A density that has seen all records knows which go together; a line
    on it needs few labels, where a network of its own would learn them by heart.

    Args:
        density: Trained on all records, labelled or not.
        records: Labelled and unlabelled; labels of at least two classes.
        classes: How many there are.
        generator: Draws the records to learn from, where there are too many.
    """

    def __init__(self, density: MaskedMixture, records: Labelled, classes: int, generator: Generator) -> None:
        self.density, self.classes = density.eval(), classes
        drawn = torch.randperm(len(records), generator=generator)
        known = drawn[records.labels[drawn].cpu() != UNLABELLED][:MOST]
        features = self._features(records[drawn[:MOST]])
        self.mean, self.spread = features.mean(0), features.std(0).clamp(min=LEAST_SPREAD)
        learnt = self._standardised(records[known]).cpu().numpy()
        self.line = LogisticRegression(C=STRENGTH, max_iter=1000).fit(learnt, records.labels[known].cpu().numpy())

    def taught(self, records: Labelled) -> Taught:
        """The same records with what is believed of each: its label or, where it has none, the probabilities."""
        found = [self._probabilities(chunk) for chunk in records.chunks(CHUNK)]
        return records.taught(torch.cat(found) if found else torch.zeros(0, self.classes))

    def _probabilities(self, records: Encoded) -> Tensor:
        told = torch.from_numpy(self.line.predict_proba(self._standardised(records).cpu().numpy())).float()
        beliefs = torch.zeros(len(records), self.classes)
        beliefs[:, torch.from_numpy(self.line.classes_)] = told
        return beliefs.to(records.inputs.device)

    def _standardised(self, records: Encoded) -> Tensor:
        return ((self._features(records) - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)

    @torch.no_grad()
    def _features(self, records: Encoded) -> Tensor:
        nothing = records.codes.new_zeros(records.codes.shape[1], dtype=torch.bool)
        return torch.cat([self._of_chunk(chunk, nothing) for chunk in records.chunks(CHUNK)])

    def _of_chunk(self, records: Encoded, hidden: Tensor) -> Tensor:
        read = self.density.reading(records, hidden)
        return torch.cat([self.density.body(read), read], 1)
