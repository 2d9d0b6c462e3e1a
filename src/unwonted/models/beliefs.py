"""What a few labels say of the records without: a line through what the density has learnt from all of them."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Generator, Tensor

from unwonted.encode import Encoded
from unwonted.labels import UNLABELLED, Labelled, Taught
from unwonted.models.base import Floats, in_padded_chunks
from unwonted.models.masked_mixture import MaskedMixture

__all__ = ["Teacher"]

STRENGTH = 0.1  # of the labels against the penalty ½‖w‖², as scikit-learn's C
MOST = 20_000  # labelled records to learn from, and records to standardise by
FARTHEST = 5.0  # standard deviations
LEAST_SPREAD = 1e-6


class Teacher:
    """P(class | features), logistic regression with a ridge penalty, fitted to all labelled records.

    The features of a record are the last layer of a density that was learnt without labels, and its inputs, each
    standardised and held within five deviations. A density that has seen all records knows which go together; a line
    on it needs few labels, where a network of its own would learn them by heart.

    Args:
        density: Trained on `records`, labelled or not.
        records: Labelled and unlabelled; labels of at least two classes.
        held_out: More of them, of which the labels alone are wanted.
        classes: How many there are.
        generator: Draws the records to learn from, where there are too many.
    """

    def __init__(
        self, density: MaskedMixture, records: Labelled, held_out: Labelled, classes: int, generator: Generator
    ) -> None:
        self.density, self.classes = density.eval(), classes
        usual = self._features_of(_some(records, generator))
        self.mean, self.spread = usual.mean(0), usual.std(0).clip(min=LEAST_SPREAD)
        known = [_some(part[part.labels != UNLABELLED], generator) for part in (records, held_out)]
        features = [self._standardised(self._features_of(part)) for part in known if len(part)]
        labels = torch.cat([part.labels for part in known]).cpu().numpy()
        self.line = LogisticRegression(C=STRENGTH, max_iter=1000).fit(np.concatenate(features), labels)

    def taught(self, records: Labelled) -> Taught:
        """The same records with what is believed of each: its label or, where it has none, the probabilities."""
        beliefs = records.inputs.new_zeros(len(records), self.classes)
        if len(records):
            told = in_padded_chunks(self._probabilities, records, records.inputs.device)
            beliefs[:, torch.from_numpy(self.line.classes_)] = torch.from_numpy(told).to(beliefs)
        return records.taught(beliefs)

    def _probabilities(self, records: Encoded) -> Tensor:
        features = self._standardised(self._features(records).cpu().double().numpy())
        return torch.from_numpy(self.line.predict_proba(features))

    def _standardised(self, features: Floats) -> Floats:
        standardised: Floats = ((features - self.mean) / self.spread).clip(-FARTHEST, FARTHEST)
        return standardised

    def _features_of(self, records: Labelled) -> Floats:
        return in_padded_chunks(self._features, records, records.inputs.device)

    def _features(self, records: Encoded) -> Tensor:
        nothing = records.codes.new_zeros(records.codes.shape[1], dtype=torch.bool)
        read = self.density.reading(records, nothing)
        return torch.cat([self.density.body(read), read], 1)


def _some(records: Labelled, generator: Generator) -> Labelled:
    return records[torch.randperm(len(records), generator=generator)[:MOST]]
