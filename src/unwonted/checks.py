"""The contract that any detector must keep, as checks that anyone can run on a detector of their own."""

import copy
import random
import tempfile
from collections.abc import Callable
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from unwonted.artifact import load
from unwonted.calibrate import Calibration
from unwonted.classifier import Classifier
from unwonted.detector import Detector
from unwonted.errors import DataError
from unwonted.estimator import Estimator
from unwonted.labels import Labels
from unwonted.models.base import ColumnModel

__all__ = [
    "CHECKS",
    "CLASSIFIER_CHECKS",
    "Pupil",
    "Subject",
    "check_classifier",
    "check_detector",
    "labelled_records",
    "ordinary_records",
    "state",
    "strange_records",
]

Floats = NDArray[np.float64]

ROWS = 320
SEEDS = 5
LEAST_GAIN = 0.03
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}


def ordinary_records(n: int, seed: int) -> pa.Table:
    """Records of two habits that show in every column, of every kind: a small table to try a detector on.

    >>> ordinary_records(3, seed=0).column_names
    ['when', 'action', 'sent', 'errors', 'spent', 'inside']
    """
    rng = np.random.default_rng(seed)
    habit = rng.random(n) < 0.4
    return _records(n, rng, habit, habit, habit)


def strange_records(n: int, seed: int) -> pa.Table:
    """Records whose every value is ordinary, in combinations that no habit has."""
    rng = np.random.default_rng(seed)
    habit = rng.random(n) < 0.4
    which = rng.integers(0, 3, n)
    return _records(n, rng, *(np.where(which == i, ~habit, habit) for i in range(3)))


def _records(
    n: int,
    rng: np.random.Generator,
    by_time: NDArray[np.bool_],
    by_action: NDArray[np.bool_],
    by_size: NDArray[np.bool_],
) -> pa.Table:
    """Records of work by day or, where true, of the nightly backup."""
    hour = np.where(by_time, rng.normal(2, 0.5, n), rng.normal(13, 2, n)) % 24
    day = rng.integers(0, 28, n) * 86_400_000_000
    size = np.where(by_size, rng.normal(16, 0.6, n), rng.normal(8, 0.8, n))
    spent = size / 4 + rng.normal(0, 0.1, n)
    return pa.table(
        {
            "when": np.datetime64("2026-03-02T00:00:00", "us") + (day + hour * 3.6e9).astype("timedelta64[us]"),
            "action": np.where(by_action, "backup", rng.choice(["read", "write", "mail"], n)),
            "sent": np.round(np.exp(size)),
            "errors": rng.poisson(0.2, n).astype(np.float64),
            "spent": pa.array(spent, mask=rng.random(n) < 0.1),
            "inside": by_action & (rng.random(n) < 0.9),
        }
    )


def labelled_records(n: int, seed: int) -> pa.Table:
    """Ordinary records and, every third, strange ones, told apart by the column `outcome`: usual or strange."""
    usual, strange = ordinary_records(n, seed), strange_records(n, seed + 1000)
    is_strange = np.arange(n) % 3 == 2
    rows = np.arange(n) + n * is_strange
    outcome = pa.array(np.where(is_strange, "strange", "usual"))
    return pa.concat_tables([usual, strange]).take(rows).append_column("outcome", outcome)


class Subject:
    """A detector under check: how to make it, and what several checks share.

    Args:
        factory: A detector class, or what, called with `random_state=seed`, gives an unfitted one.
    """

    def __init__(self, factory: Callable[..., Estimator]) -> None:
        self.factory = factory
        self.records = ordinary_records(ROWS, seed=1)
        self.new = ordinary_records(64, seed=2)

    def make(self, seed: int = 0) -> Any:
        """An unfitted estimator."""
        return self.factory(random_state=seed)

    def fit(self, estimator: Any, records: pa.Table) -> Any:
        """The estimator, fitted."""
        return estimator.fit(records)

    def batch(self, detector: Any) -> Any:
        """The training records as the model's loss takes them."""
        return detector._encoded(self.records)

    def outputs(self, detector: Any, records: pa.Table) -> dict[str, bytes]:
        """Everything that an estimator says of records, to compare to the bit."""
        return _outputs(detector, records)

    @cached_property
    def fitted(self) -> Any:
        """Fitted on enough records for three parts."""
        return self.fit(self.make(), self.records)


class Pupil(Subject):
    """A classifier under check: its training records have labels, in a column that is no input.

    Args:
        factory: A classifier class, or what, called with `random_state=seed`, gives an unfitted one.
    """

    def __init__(self, factory: Callable[..., Classifier]) -> None:
        super().__init__(factory)
        self.records = labelled_records(ROWS + ROWS // 2, seed=1)

    def make(self, seed: int = 0) -> Any:
        return self.factory(random_state=seed, normal="usual")

    def fit(self, estimator: Any, records: pa.Table) -> Any:
        return estimator.fit(records.drop_columns(["outcome"]), records["outcome"])

    def batch(self, detector: Any) -> Any:
        labels = Labels.read(self.records["outcome"], self.records.num_rows, "usual")
        return labels.beside(detector._encoded(self.records), np.arange(self.records.num_rows))

    def outputs(self, detector: Any, records: pa.Table) -> dict[str, bytes]:
        return super().outputs(detector, records) | {
            "predict_proba": detector.predict_proba(records).tobytes(),
            "score_samples": detector.score_samples(records).tobytes(),
        }


def check_detector(factory: Callable[..., Detector]) -> None:
    """Runs every check; takes a minute or so.

    A detector can be saved only once it is registered: `MODELS["mine"] = ("module", "Class")`.

    Args:
        factory: A detector class, or what, called with `random_state=seed`, gives an unfitted one.

    Raises:
        AssertionError: at the first promise that is not kept; the message says which.
    """
    subject = Subject(factory)
    for check in CHECKS:
        check(subject)


def check_classifier(factory: Callable[..., Classifier]) -> None:
    """Runs every check of a classifier.

    Args:
        factory: A classifier class, or what, called with `random_state=seed` and `normal=`, gives an unfitted one.

    Raises:
        AssertionError: at the first promise that is not kept; the message says which.
    """
    pupil = Pupil(factory)
    for check in CLASSIFIER_CHECKS:
        check(pupil)


def state(detector: Estimator) -> str:
    """A digest of all that a detector holds, but for how many seconds its fit took."""
    digest = blake2b(digest_size=16)
    for name, value in sorted(vars(detector).items()):
        digest.update(name.encode() + b"=" + _as_bytes(value))
    return digest.hexdigest()


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, torch.nn.Module):
        tensors = [*value.state_dict().items(), *value.named_buffers()]
        return b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in tensors)
    if isinstance(value, Calibration):
        return value.scores.tobytes()
    if isinstance(value, np.ndarray):
        return repr(value.tolist()).encode()
    if isinstance(value, pa.Table):
        return repr(value.to_pydict()).encode()
    if isinstance(value, msgspec.Struct):
        return msgspec.json.encode(value)
    if isinstance(value, dict):
        return repr({key: entry for key, entry in value.items() if key != "seconds"}).encode()
    return repr(value).encode()


def _outputs(detector: Any, records: pa.Table) -> dict[str, bytes]:
    """Everything that a detector says of records, to compare to the bit."""
    explanations = detector.explain(records.slice(0, 3), top=2)
    return {
        "anomaly_score": detector.anomaly_score(records).tobytes(),
        "contributions": detector.contributions(records).tobytes(),
        "p_value": detector.p_value(records).tobytes(),
        "predict": repr(detector.predict(records).tolist()).encode(),
        "explain": repr(explanations).encode(),
    }


def _demand_equal(got: dict[str, bytes], wanted: dict[str, bytes], when: str) -> None:
    for name, value in wanted.items():
        assert got[name] == value, f"{name} changes {when}"


def check_same_seed(subject: Subject) -> None:
    """Two detectors with one seed are equal to the byte."""
    again = subject.fit(subject.make(), subject.records)
    assert state(again) == state(subject.fitted), "two detectors with the same seed and records differ"


def check_refit(subject: Subject) -> None:
    """A detector that was fitted before is, fitted again, equal to the byte to a fresh one."""
    detector = subject.make()
    limit, detector.max_time = detector.max_time, 1e-6  # what is learned first does not matter
    subject.fit(detector, subject.records.slice(30, 30).drop_columns(["inside", "sent"]))
    detector.max_time = limit
    subject.fit(detector, subject.records)
    assert state(detector) == state(subject.fitted), "a refit of the same object differs from a first fit"


def check_labels_ignored(subject: Subject) -> None:
    """`fit(X, y)` ignores y."""
    detector = subject.make().fit(subject.records, np.arange(ROWS) % 2)
    assert state(detector) == state(subject.fitted), "y changes what is learned"


def check_global_random_state(subject: Subject) -> None:
    """The global random state of `random`, NumPy and torch is neither used nor touched."""
    wanted = state(subject.fitted)  # fitted under another global state
    saved = (random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002
    try:
        random.seed(77)
        np.random.seed(77)  # noqa: NPY002
        torch.manual_seed(77)
        before = (random.getstate(), repr(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
        detector = subject.fit(subject.make(), subject.records)
        subject.outputs(detector, subject.new)
        after = (random.getstate(), repr(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
    finally:
        random.setstate(saved[0])
        np.random.set_state(saved[1])  # noqa: NPY002
        torch.set_rng_state(saved[2])
    assert before[:2] == after[:2], "the global random state of random or NumPy was touched"
    assert torch.equal(before[2], after[2]), "the global random state of torch was touched"
    assert state(detector) == wanted, "the fit depends on a global random state"


def check_scoring_is_pure(subject: Subject) -> None:
    """Scoring leaves the detector as it was, and says the same twice."""
    before = state(subject.fitted)
    first = subject.outputs(subject.fitted, subject.new)
    assert state(subject.fitted) == before, "scoring changes the detector"
    _demand_equal(subject.outputs(subject.fitted, subject.new), first, "when asked twice")


def check_column_order(subject: Subject) -> None:
    """Columns are matched by name: in another order, with others between them, they change no bit."""
    names = subject.new.column_names[::-1]
    other = subject.new.select(names).add_column(1, "unheard of", pa.array(range(subject.new.num_rows)))
    _demand_equal(
        subject.outputs(subject.fitted, other),
        subject.outputs(subject.fitted, subject.new),
        "with the order of columns",
    )


def check_batch_invariance(subject: Subject) -> None:
    """A record's score depends on nothing but the record: not on its company, nor on its place in it."""
    whole = subject.fitted.anomaly_score(subject.new)
    n = subject.new.num_rows
    order = np.random.default_rng(0).permutation(n)
    shuffled = np.empty(n)
    shuffled[order] = subject.fitted.anomaly_score(subject.new.take(order))
    single = np.array([subject.fitted.anomaly_score(subject.new.slice(i, 1))[0] for i in range(n)])
    # More than any model takes at a time, and no multiple of anything.
    many = pa.concat_tables([subject.records.select(subject.new.column_names)] * 4 + [subject.new])
    crowd = subject.fitted.anomaly_score(many)[-n:]
    for scores, company in ((shuffled, "the order of records"), (single, "the batch"), (crowd, "the batch")):
        np.testing.assert_allclose(
            scores, whole, rtol=1e-6, atol=1e-9, err_msg=f"a record's score depends on {company}"
        )


def check_save_and_load(subject: Subject) -> None:
    """A saved and loaded detector says the same to the bit, and is saved again as the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder, "model.safetensors"), Path(folder, "again.safetensors")
        subject.fitted.save(path)
        loaded = load(path)
        loaded.save(again)
        assert again.read_bytes() == path.read_bytes(), "a loaded detector is saved as another file"
    wanted = subject.outputs(subject.fitted, subject.new)
    _demand_equal(subject.outputs(loaded, subject.new), wanted, "by saving and loading")
    assert loaded.offset_ == subject.fitted.offset_, "offset_ changes by saving and loading"


def check_strange_cells(subject: Subject) -> None:
    """Gaps, categories never seen and infinities are scored and explained, in any column."""
    tables, strange = [], []
    for i, field in enumerate(subject.new.schema):
        cells: list[Any] = [None]
        if pa.types.is_string(field.type):
            cells += ["never seen", "", "\N{SNOWMAN}\n<b>"]
        elif pa.types.is_floating(field.type):
            cells += [float("inf"), -float("inf"), float("nan"), 1e300, -1e300, 5e-324]
        for cell in cells:
            tables.append(subject.new.slice(0, 1).set_column(i, field, pa.array([cell], field.type)))
            strange.append(f"{cell!r} in column {field.name!r}")
    changed = pa.concat_tables(tables)
    detector = subject.fitted
    explained = detector.explain(changed, top=99)
    figures = zip(detector.anomaly_score(changed), detector.p_value(changed), explained, strange, strict=True)
    for score, p, explanation, what in figures:
        assert not np.isnan(score), f"{what} has no score"
        assert 0 < p <= 1, f"{what} has the p-value {p}"
        reasons = sorted(reason.column for reason in explanation.reasons)
        assert reasons == sorted(detector.columns_), f"{what} is explained by the columns {reasons}"


def check_few_records(subject: Subject) -> None:
    """Ten records are enough to learn from, nine are refused, and any number is scored."""
    detector = subject.fit(subject.make(), subject.records.slice(0, 10))
    again = subject.fit(subject.make(), subject.records.slice(0, 10))
    assert state(again) == state(detector), "two detectors with the same seed and ten records differ"
    for rows in (1, 3):
        for fitted in (detector, subject.fitted):
            scores = fitted.anomaly_score(subject.new.slice(0, rows))
            assert scores.shape == (rows,), f"{rows} records get {scores.shape} scores"
            assert np.isfinite(scores).all(), "an ordinary record's score is not finite"
    for rows in (0, 1, 9):
        refused = ""
        try:
            subject.fit(subject.make(), subject.records.slice(0, rows))
        except DataError as error:
            refused = str(error)
        assert refused, f"fit takes {rows} records"
        assert "\n" not in refused, "an error is more than one line"


def check_alerts_are_p_values(subject: Subject) -> None:
    """`predict` is −1 exactly where the p-value is at most `alert_rate`, on ties too."""
    detector = copy.copy(subject.fitted)
    many = pa.concat_tables([subject.records.select(subject.new.column_names), subject.new])
    p = detector.p_value(many)
    alerts_seen = 0
    for rate in (0.01, 0.1, *np.unique(p[p < 1])[:4]):
        detector.alert_rate = float(rate)
        alerts = detector.predict(many) == -1
        np.testing.assert_array_equal(alerts, p <= rate, err_msg=f"alerts are not p ≤ {rate}")
        np.testing.assert_array_equal(
            alerts, detector.decision_function(many) < 0, err_msg="predict and decision_function"
        )
        alerts_seen += int(alerts.sum())
    assert alerts_seen, "nothing is ever an alert"


def check_alert_rate_moves_the_threshold(subject: Subject) -> None:
    """Another `alert_rate` after the fit moves the threshold and nothing else."""
    detector = copy.copy(subject.fitted)
    scores, p, low = detector.score_samples(subject.new), detector.p_value(subject.new), detector.offset_
    detector.alert_rate = 4 * detector.alert_rate
    np.testing.assert_array_equal(detector.score_samples(subject.new), scores, err_msg="alert_rate moves scores")
    np.testing.assert_array_equal(detector.p_value(subject.new), p, err_msg="alert_rate moves p-values")
    assert detector.offset_ > low, "a higher alert_rate does not move offset_ up"
    np.testing.assert_array_equal(
        detector.decision_function(subject.new), scores - detector.offset_, err_msg="decision_function"
    )


def check_contributions(subject: Subject) -> None:
    """Contributions, one a column, sum to what a score is above its baseline; scores are not all the same."""
    detector = subject.fitted
    contributions, scores = detector.contributions(subject.new), detector.anomaly_score(subject.new)
    assert contributions.shape == (subject.new.num_rows, len(detector.columns_)), "contributions' shape"
    baseline = np.array([explanation.baseline for explanation in detector.explain(subject.new, top=1)])
    np.testing.assert_allclose(contributions.sum(1) + baseline, scores, **CLOSE, err_msg="contributions' sum")
    if isinstance(detector, Detector):
        np.testing.assert_array_equal(detector.score_samples(subject.new), -scores, err_msg="score_samples")
    assert scores.std() > 0, "all records have one score"
    for row, explanation in enumerate(detector.explain(subject.new.slice(0, 3), top=99)):
        given = [reason.contribution for reason in explanation.reasons]
        assert given == sorted(given, reverse=True), "reasons are not sorted by contribution"
        total = sum(given) + explanation.baseline
        np.testing.assert_allclose(total, scores[row], **CLOSE, err_msg="the reasons' sum")


def check_units(subject: Subject) -> None:
    """Columns in units a million times smaller or larger leave the ranking as it is."""
    numbers = [field.name for field in subject.records.schema if pa.types.is_floating(field.type)]

    def changed(records: pa.Table) -> pa.Table:
        for i, name in enumerate(numbers):
            column = records[name].to_numpy() * (1e6 if i % 2 else 1e-6)
            records = records.set_column(records.column_names.index(name), name, pa.array(column, from_pandas=True))
        return records

    other = subject.fit(subject.make(), changed(subject.records))
    wanted, got = subject.fitted.anomaly_score(subject.new), other.anomaly_score(changed(subject.new))
    # Scores may differ in the last digits, for the new figures were rounded; no rank by more than that.
    order = np.argsort(got)
    falls = np.maximum.accumulate(wanted[order]) - wanted[order]
    assert falls.max() <= 1e-3 * wanted.std(), "a change of units changes the ranking"


def check_gradients(subject: Subject) -> None:
    """Every parameter of the model receives a gradient."""
    detector = subject.fitted
    model = detector._model(detector.encoder_, detector.summary_["train"], 0)
    model.loss(subject.batch(detector), torch.Generator().manual_seed(0)).mean().backward()
    for name, weights in model.named_parameters():
        reached = weights.grad is not None and bool(torch.isfinite(weights.grad).all() and weights.grad.any())
        assert reached, f"no gradient reaches the parameter {name}"


def check_training_helps(subject: Subject) -> None:
    """Trained beats untrained, in the loss of held-out records and in telling strange ones, over seeds.

    Where a score is a sum over columns, strange ones are told by the surprises alone: what else it rests on may need
    no training. The untrained model has all that it remembers of the training records, and so what it can do.
    """
    held_out, strange = ordinary_records(300, seed=3), strange_records(150, seed=4)
    truth = np.repeat([0, 1], [held_out.num_rows, strange.num_rows])
    losses: list[float] = []
    aurocs: list[float] = []
    for seed in range(SEEDS):
        detector = subject.fitted if seed == 0 else subject.fit(subject.make(seed), subject.records)
        for each in (subject.make(seed).untrained().fit(subject.records), detector):
            losses.append(each.objective(held_out))
            scores = [_learnt(each, records) for records in (held_out, strange)]
            aurocs.append(roc_auc_score(truth, np.concatenate(scores)))
    before, after = np.reshape(losses, (SEEDS, 2)).T
    spread = max(before.std(ddof=1), after.std(ddof=1))
    assert before.mean() - after.mean() > 3 * spread, (
        f"training lowers the held-out loss from {before.mean():.3f} to {after.mean():.3f} only, "
        f"with a standard deviation over seeds of {spread:.3f}"
    )
    was, now = np.reshape(aurocs, (SEEDS, 2)).mean(0)
    assert now > was + LEAST_GAIN, f"training raises the AUROC from {was:.3f} to {now:.3f} only"


def _learnt(detector: Any, records: pa.Table) -> Floats:
    evidence = detector._evidence(detector._encoded(records))
    model = detector.model_
    found: Floats = evidence[..., 0].sum(1) if isinstance(model, ColumnModel) else model.score(evidence)
    return found


def check_probabilities(subject: Subject) -> None:
    """Probabilities sum to 1; the prediction is the most probable class; the score is the log odds against normal."""
    classifier = subject.fitted
    p = classifier.predict_proba(subject.new)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12, err_msg="probabilities do not sum to 1")
    np.testing.assert_array_equal(classifier.predict(subject.new), classifier.classes_[p.argmax(1)])
    normal = p[:, classifier.normal_].sum(1)
    np.testing.assert_allclose(
        1 / (1 + np.exp(classifier.anomaly_score(subject.new))), normal, rtol=1e-6, err_msg="scores are no log odds"
    )


def check_labels_are_learnt(subject: Subject) -> None:
    """Trained beats untrained on held-out records, in loss and accuracy, over seeds; shuffled labels teach nothing."""
    held_out = labelled_records(240, seed=7)
    truth = np.array(held_out["outcome"].to_pylist())
    losses: list[float] = []
    right: list[float] = []
    for seed in range(SEEDS):
        classifier = subject.fitted if seed == 0 else subject.fit(subject.make(seed), subject.records)
        for each in (subject.fit(subject.make(seed).untrained(), subject.records), classifier):
            losses.append(each.objective(held_out, held_out["outcome"]))
            right.append(float(np.mean(each.predict(held_out) == truth)))
    before, after = np.reshape(losses, (SEEDS, 2)).T
    assert before.mean() - after.mean() > 3 * max(before.std(ddof=1), after.std(ddof=1)), (
        f"training lowers the held-out loss from {before.mean():.3f} to {after.mean():.3f} only"
    )
    was, now = np.reshape(right, (SEEDS, 2)).mean(0)
    assert now > max(was, float(np.mean(truth == "usual"))) + LEAST_GAIN, f"accuracy is {now:.3f}, untrained {was:.3f}"
    outcome = subject.records["outcome"].take(np.random.default_rng(0).permutation(subject.records.num_rows))
    place = subject.records.column_names.index("outcome")
    fooled = subject.fit(subject.make(), subject.records.set_column(place, "outcome", outcome))
    shuffled = float(np.mean(fooled.predict(held_out) == truth))
    assert shuffled < now - LEAST_GAIN, f"labels in another order teach as much ({shuffled:.3f})"


CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_same_seed,
    check_refit,
    check_labels_ignored,
    check_global_random_state,
    check_scoring_is_pure,
    check_column_order,
    check_batch_invariance,
    check_save_and_load,
    check_strange_cells,
    check_few_records,
    check_alerts_are_p_values,
    check_alert_rate_moves_the_threshold,
    check_contributions,
    check_units,
    check_gradients,
    check_training_helps,
)
"""All checks, in order."""

CLASSIFIER_CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_same_seed,
    check_refit,
    check_global_random_state,
    check_scoring_is_pure,
    check_column_order,
    check_batch_invariance,
    check_save_and_load,
    check_strange_cells,
    check_few_records,
    check_contributions,
    check_units,
    check_gradients,
    check_probabilities,
    check_labels_are_learnt,
)
"""All checks of classifiers, in order."""
