"""Where there is CUDA: each model learns there what it learns on a processor, and its file is read anywhere."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from unwonted import load
from unwonted.checks import labelled_records, ordinary_records, strange_records
from unwonted.models import CLASSIFIERS, MODELS, classifier_class, model_class

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")

TOLERANCE = 1e-2  # float32 sums in another order


@pytest.fixture(autouse=True)
def _on_the_card() -> Iterator[None]:
    """The test fails where nothing was computed on the card."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.max_memory_allocated()
    yield
    assert torch.cuda.max_memory_allocated() > before


@pytest.mark.parametrize("name", MODELS)
def test_detector(name: str, tmp_path: Path) -> None:
    detector = model_class(name)(random_state=0, device="cuda").fit(ordinary_records(600, seed=0))
    ordinary, strange = ordinary_records(200, seed=1), strange_records(200, seed=1)
    scores = [detector.anomaly_score(records) for records in (ordinary, strange)]
    assert roc_auc_score(np.repeat([0, 1], 200), np.concatenate(scores)) > 0.9
    assert len(detector.explain(strange)) == 200
    detector.save(tmp_path / "model.unwonted")
    elsewhere = load(tmp_path / "model.unwonted").set_params(device="cpu")
    np.testing.assert_allclose(elsewhere.anomaly_score(strange), scores[1], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier(name: str, tmp_path: Path) -> None:
    records, new = labelled_records(900, seed=0), labelled_records(300, seed=1)
    classifier = classifier_class(name)(normal="usual", random_state=0, device="cuda")
    classifier.fit(records.drop_columns(["outcome"]), records["outcome"])
    found = classifier.predict_proba(new)
    assert classifier.score(new, new["outcome"]) > 0.9
    classifier.save(tmp_path / "model.unwonted")
    elsewhere = load(tmp_path / "model.unwonted").set_params(device="cpu")
    np.testing.assert_allclose(elsewhere.predict_proba(new), found, rtol=TOLERANCE, atol=TOLERANCE)


def test_classifier_with_few_labels() -> None:
    records = labelled_records(900, seed=0)
    y = np.array(records["outcome"].to_pylist(), dtype=object)
    y[np.random.default_rng(0).random(len(y)) > 0.2] = None
    classifier = classifier_class("dmdn")(normal="usual", random_state=0, device="cuda")
    assert np.isfinite(classifier.fit(records.drop_columns(["outcome"]), y).predict_proba(records)).all()
