"""Classifiers: partly labelled tables, rare classes, calibration, frequent values, the literal reading, bad input."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import roc_auc_score

from unwonted import DMDN, DataError, DMDNClassifier, TransformerClassifier, fitting, load
from unwonted.checks import labelled_records, ordinary_records, strange_records
from unwonted.encode import Encoder
from unwonted.labels import Labels
from unwonted.metrics import calibration_error
from unwonted.models.beliefs import Teacher
from unwonted.models.label_model import LabelModel
from unwonted.models.labelled_mixture import LabelledMixture
from unwonted.models.periodic import PeriodicNumbers
from unwonted.schema import Schema
from unwonted.train import Progress, train


def rings(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in the plane; inside a ring they are of one kind, outside of the other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, np.where(np.hypot(*X.T) > 1.5, "out", "in")


def test_unlabelled_records_teach_the_density_and_few_labels_the_classes() -> None:
    records = pa.concat_tables([ordinary_records(600, 1), strange_records(200, 2)])
    y = np.array(["usual"] * 600 + ["strange"] * 200, dtype=object)
    kept = np.random.default_rng(0).permutation(800)[:60]
    few = np.full(800, None)
    few[kept] = y[kept]
    classifier = DMDNClassifier(normal="usual", random_state=0).fit(records, few)
    new = pa.concat_tables([ordinary_records(300, 3), strange_records(300, 4)])
    truth = np.repeat([0, 1], 300)
    assert roc_auc_score(truth, classifier.anomaly_score(new)) > 0.9
    blind = DMDN(random_state=0).fit(records)
    rare = [roc_auc_score(truth, -each.score_samples(new)) for each in (classifier, blind)]
    assert rare[0] > rare[1]  # of the records without labels those are learnt from that are likely to be normal


def grouped(n: int, seed: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Records of two groups that lie so far apart in each of many columns, which tell them together and none alone."""
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n)
    signs = np.where(np.random.default_rng(99).random(16) < 0.5, -1.0, 1.0)
    X = np.outer(2 * group - 1, signs) * apart + rng.normal(size=(n, 16))
    return X, group


def test_records_without_labels_teach_the_classes_too() -> None:
    X, group = grouped(2000, 0, 0.4)
    few = np.full(2000, None)
    kept = np.concatenate([np.flatnonzero(group == kind)[:8] for kind in (0, 1)])
    few[kept] = group[kept]
    new, truth = grouped(2000, 1, 0.4)
    whole = DMDNClassifier(normal=0, random_state=0).fit(X, few).predict_proba(new)[:, 1]
    alone = DMDNClassifier(normal=0, random_state=0).fit(X[kept], group[kept]).predict_proba(new)[:, 1]
    assert roc_auc_score(truth, whole) > roc_auc_score(truth, alone) + 0.01


def test_a_teacher_believes_labels_and_tells_the_others_by_the_density() -> None:
    X, group = grouped(600, 0, 1.5)
    few = np.full(600, None)
    kept = np.concatenate([np.flatnonzero(group == kind)[:3] for kind in (0, 1)])
    few[kept] = group[kept]
    few[kept[0]] = 1 - group[kept[0]]  # a wrong label is believed of its record
    detector = DMDN(random_state=0).fit(X)
    records = Labels.read(few, 600, 0).beside(detector._encoded(X), np.arange(600))
    teacher = Teacher(detector.model_, records, records[:0], 2, torch.Generator().manual_seed(0))
    taught = teacher.taught(records)
    beliefs = taught.beliefs.numpy()
    assert beliefs[kept].tolist() == np.eye(2)[few[kept].astype(int)].tolist()
    assert beliefs.sum(1) == pytest.approx(np.ones(600), abs=1e-5)
    others = np.setdiff1d(np.arange(600), kept)
    assert roc_auc_score(group[others], beliefs[others, 1]) > 0.95
    assert taught.label_weight[kept].sum() == pytest.approx(600)
    assert taught.label_weight[others].sum() == pytest.approx(600)
    assert taught.alike().label_weight.tolist() == [1.0] * 600
    # Of held-out records the labels count as those of the others do.
    halves = records[::2], records[1::2]
    parted = Teacher(detector.model_, *halves, 2, torch.Generator().manual_seed(0)).taught(records).beliefs.numpy()
    assert np.abs(parted - beliefs).mean() < 0.05
    alone = Teacher(detector.model_, halves[0], halves[1][:0], 2, torch.Generator().manual_seed(0))
    assert np.abs(alone.taught(records).beliefs.numpy() - beliefs)[others].mean() > 0.05


def test_columns_are_hidden_in_training_alone() -> None:
    X, y = rings(400, 0)
    classifier = DMDNClassifier(normal="in", random_state=0).fit(X, y)
    model, records = classifier.model_, classifier._encoded(X)
    labelled = Labels.read(y, 400, "in").beside(records, np.arange(400))
    seen: list[torch.Tensor] = []
    model.logits = lambda x, generator=None: seen.append(x) or x[:, :2]  # type: ignore[assignment,func-returns-value]
    first = model.column_of_input == 0
    for training in (True, False):
        model.train(training)
        model._drawn(labelled, torch.Generator().manual_seed(0))
    gone = [float((x[:, first] == 0).all(1).float().mean()) for x in seen]
    assert gone == [pytest.approx(0.2, abs=0.06), 0.0]


def test_no_record_is_worth_more_than_ten_nats() -> None:
    X, y = rings(400, 0)
    classifier = DMDNClassifier(normal="in", random_state=0).fit(X, y)
    with torch.no_grad():
        classifier.model_.head.weight.mul_(100)
        odds = classifier.anomaly_score(X) * float(classifier.model_.temperature)
    assert odds.max() == pytest.approx(10, abs=1e-3)
    assert odds.min() == pytest.approx(-10, abs=1e-3)


def test_the_label_and_the_density_share_their_first_layer() -> None:
    X, y = rings(400, 0)
    classifier = DMDNClassifier(normal="in", random_state=0).fit(X, y)
    with torch.no_grad():
        records = classifier._encoded(X)
        model = classifier.model_
        before = model.logits(model.read(records)), model.density.part_surprise(records)
        model.density.body.first.weight.mul_(0)
        after = model.logits(model.read(records)), model.density.part_surprise(records)
    assert all((old - new).abs().max() > 0.1 for old, new in zip(before, after, strict=True))


def test_labels_of_one_class_only_among_the_training_part_need_no_teacher() -> None:
    X, _ = grouped(400, 0, 1.5)
    few = np.full(400, None)
    few[:2] = [0, 1]
    found = DMDNClassifier(normal=0, random_state=0).fit(X, few).predict_proba(X)
    assert np.isfinite(found).all()


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """Every training from here on: the model, how many records it learns from and is judged by, plan and history."""
    found: list[SimpleNamespace] = []

    def watched(model, training, validation, plan, **how):
        history = train(model, training, validation, plan, **how)
        found.append(SimpleNamespace(model=model, records=len(training), judges=len(validation), plan=plan, of=history))
        return history

    monkeypatch.setattr(fitting, "train", watched)
    return found


def test_in_the_end_all_labelled_records_are_learnt_from(trainings: list[SimpleNamespace]) -> None:
    X, y = rings(600, 0)
    y = y.astype(object)
    y[::4] = None
    steps: list[Progress] = []
    classifier = DMDNClassifier(normal="in", random_state=0, verbose=steps.append).fit(X, y)
    assert sorted({(step.training, step.trainings) for step in steps}) == [(1, 2), (2, 2)]
    first, second = trainings
    assert (first.records < 600 - first.judges, second.records, second.judges) == (True, 600, 0)
    assert (second.plan.steps, second.plan.stop) == (first.of.best_step, 0)
    assert classifier.model_ is second.model
    assert classifier.history_["validation"] == first.of.validation
    assert float(second.model.temperature) == float(first.model.temperature) != 1
    told = classifier.summary_
    assert (told["train"], told["validation"]) == (600, first.judges)
    assert told["calibration"] == len(classifier.calibration_.scores) == 600 - first.records - first.judges
    assert any("anew" in notice and "approximate" in notice for notice in classifier.notices_)
    # What a network says of the records that it learnt from promises nothing.
    new, truth = rings(4000, 1)
    share = (classifier.p_value(new[truth == "in"]) <= 0.2).mean()
    assert abs(share - 0.2) < 4 * np.sqrt(0.16 / told["calibration"])


@pytest.mark.parametrize(("normal", "told"), [(0, True), (2, True), (40, False)])
def test_labelled_anomalies_are_no_measure_of_what_is_normal(normal: int, told: bool) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 3)), np.full(500, None, dtype=object)
    X[:60] += 4
    y[:60], y[60 : 60 + normal], y[-1] = "bad", "ok", "ok"
    detector = DMDNClassifier(normal="ok", max_time=2.0, random_state=0).fit(X, y)
    assert any("is labelled normal" in notice for notice in detector.notices_) == told
    least = 1 / (len(detector.calibration_.scores) + 1)
    assert (detector.p_value(X[:60]) <= max(detector.alert_rate, least)).mean() > 0.9


def test_few_labels_are_learnt_from_once(trainings: list[SimpleNamespace]) -> None:
    X, y = rings(600, 0)
    y = y.astype(object)
    y[50:] = None
    DMDNClassifier(normal="in", random_state=0).fit(X, y)
    assert [training.judges > 0 for training in trainings if isinstance(training.model, LabelledMixture)] == [True]


def test_only_a_running_mean_of_weights_is_learnt_without_a_judge(trainings: list[SimpleNamespace]) -> None:
    X, y = rings(300, 0)
    for make in (DMDNClassifier, TransformerClassifier):
        make(normal="in", random_state=0).fit(X, y)
    assert [(training.plan.averaged, training.judges > 0) for training in trainings] == [
        (True, True),
        (True, False),
        (False, True),
    ]


def test_what_max_time_leaves_out_is_said(trainings: list[SimpleNamespace]) -> None:
    X, y = rings(600, 0)
    classifier = DMDNClassifier(random_state=0, max_time=1e-6).fit(X, y)
    assert len(trainings) == 1
    assert any("anew" in notice and f"{trainings[0].records} of 600" in notice for notice in classifier.notices_)


def test_a_rare_class_is_learnt() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    y = np.zeros(3000, dtype=int)
    y[:40] = 1
    X[:40, 0] += 2.5
    X[:40, 1] -= 2.5
    classifier = DMDNClassifier(normal=0, random_state=0).fit(X, y)
    test = rng.normal(size=(1000, 3))
    test[:500] += [2.5, -2.5, 0.0]
    assert roc_auc_score(np.arange(1000) < 500, classifier.predict_proba(test)[:, 1]) > 0.97
    assert classifier.predict_proba(X).mean(0)[1] == pytest.approx(40 / 3000, abs=0.01)  # balance leaves the odds


@pytest.mark.parametrize("head", ["categorical", "mixture"])
def test_either_head_learns_and_its_probabilities_are_what_they_say(head: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 2))  # most of them to judge by: few would make a calibration error by chance
    p = 1 / (1 + np.exp(-2 * X[:, 0]))
    y = (rng.random(10_000) < p).astype(int)
    classifier = DMDNClassifier(normal=0, head=head, random_state=0).fit(X[:2500], y[:2500])
    found = classifier.predict_proba(X[2500:])[:, 1]
    assert np.abs(found - p[2500:]).mean() < 0.08
    assert calibration_error(found, y[2500:]) < 0.06


def test_the_mixture_head_is_a_density_over_the_label() -> None:
    X, y = rings(400, 0)
    classifier = DMDNClassifier(normal="in", head="mixture", random_state=0).fit(X, y)
    model = classifier.model_
    h = torch.randn(3, 3 * model.components, generator=torch.Generator().manual_seed(0))
    log_p = model._log_densities(h)
    weights, means, raw = h.view(3, 3, model.components).unbind(1)
    law = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=weights),
        torch.distributions.Normal(means, 0.1 + torch.nn.functional.softplus(raw)),
    )
    wanted = torch.stack([law.log_prob(torch.full((3,), float(c))) for c in (0, 1)], 1)
    torch.testing.assert_close(log_p, wanted, rtol=1e-5, atol=1e-5)


def test_temperature_mends_probabilities_that_are_too_sure() -> None:
    class Plain(LabelModel):
        def logits(self, x, generator=None):
            return x

        def culprit(self, batch):
            return ""

    classifier = DMDNClassifier(random_state=0).fit(labelled_records(60, 0).drop_columns(["outcome"]), ["a", "b"] * 30)
    model = Plain(classifier.encoder_, [True, False], [])
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (4000, 2))
    p = 1 / (1 + np.exp(honest[:, 0] - honest[:, 1]))
    labels = (rng.random(4000) < p).astype(np.int64)
    model.settle(5 * honest, labels)
    assert float(model.temperature) == pytest.approx(5, rel=0.1)
    assert calibration_error(model.probabilities(5 * honest)[:, 1], labels) < 0.02
    model.temperature.fill_(1.0)
    model.settle(honest[:5], labels[:5])
    assert float(model.temperature) == 1.0  # too few to tell


def test_a_value_is_told_from_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    sent = rng.integers(100, 130, 3000).astype(float)
    y = np.where(np.isin(sent, [104, 111, 114, 121, 127]), "tool", "user")
    X = pd.DataFrame({"sent": sent, "noise": rng.normal(size=3000)})
    classifier = DMDNClassifier(normal="user", random_state=0).fit(X[:2000], y[:2000])
    assert classifier.score(X[2000:], y[2000:]) > 0.97


def test_the_loss_of_a_record_is_that_of_its_label_and_a_tenth_of_its_density() -> None:
    records = labelled_records(120, 3)
    classifier = DMDNClassifier(normal="usual", random_state=0).fit(
        records.drop_columns(["outcome"]), records["outcome"]
    )
    model = classifier.model_
    y = ["usual", "strange", None]
    batch = Labels.read(y, 3, "usual").beside(classifier._encoded(records.slice(0, 3)), np.arange(3))
    loss = model.loss(batch, torch.Generator().manual_seed(0))
    density = model.density.loss(batch, torch.Generator().manual_seed(0))
    log_p = model.logits(model.read(batch)).log_softmax(1).detach()
    of_label = -torch.stack([log_p[0, 1], log_p[1, 0], torch.tensor(0.0)]) * 1.5
    sure = torch.tensor([1.0, 0.0, log_p[2, 1].exp().item()]) * 1.5
    torch.testing.assert_close(loss.detach(), of_label + 0.1 * density.detach() * sure)


def test_a_quarter_of_the_records_teaches_the_density_at_four_times_the_weight() -> None:
    records = labelled_records(120, 3)
    classifier = DMDNClassifier(normal="usual", dropout=0.0, random_state=0).fit(
        records.drop_columns(["outcome"]), records["outcome"]
    )
    model = classifier.model_
    batch = Labels.read(["usual"] * 59 + ["strange"], 60, "usual").beside(
        classifier._encoded(records.slice(0, 60)), np.arange(60)
    )
    given: list[int] = []
    model._drawn = lambda batch, generator: torch.zeros(len(batch), 2)  # type: ignore[method-assign]
    model.density.loss = lambda batch, generator: given.append(len(batch)) or torch.ones(len(batch))  # type: ignore[assignment,func-returns-value]
    in_training, as_scored = (model.train(mode).loss(batch, torch.Generator()) for mode in (True, False))
    assert given == [15, 60]
    of_label = np.log(2)
    taught = np.arange(60) % 4 == 0
    weight = np.r_[np.full(59, 60 / 59), 0]
    np.testing.assert_allclose(in_training, of_label + 0.1 * 4 * taught * weight, rtol=1e-5)
    np.testing.assert_allclose(as_scored, of_label + 0.1 * weight, rtol=1e-5)


def test_numbers_are_read_as_waves_within_the_range_of_training() -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"kind": ["a", "b"] * 50, "sent": [None, *rng.normal(size=99)], "got": rng.exponential(size=100)})
    encoder = Encoder.fit(table, Schema.infer(table))
    reader = PeriodicNumbers(encoder)
    reader.start(torch.Generator().manual_seed(0))
    got = table["got"].to_numpy()
    new = pa.table({"kind": ["a"] * 3, "sent": [None, 0.3, None], "got": [got.max(), got.max() * 100, None]})
    batch = encoder.transform(new)
    read = reader(batch).detach().view(3, 2, 8)
    assert (read[0, 0] == 0).all()  # a gap that training knew
    assert (read[2] == 0).all()  # and one that it did not
    torch.testing.assert_close(read[0, 1], read[1, 1])  # far out is no other place of the wave
    x, waves = float(batch.inputs[1, 0]), reader.frequencies[0].detach().numpy()
    wanted = np.r_[np.sin(2 * np.pi * waves * x), np.cos(2 * np.pi * waves * x)] @ reader.weight[0].detach().numpy()
    np.testing.assert_allclose(read[1, 0], np.maximum(wanted, 0), atol=1e-5)
    assert reader.owner.tolist() == [1] * 8 + [2] * 8


def test_loaded_classifiers_keep_the_type_of_their_labels(tmp_path) -> None:
    X, y = rings(200, 1)
    for labels in (y, y.astype(object), (y == "out").astype(int), y == "out"):
        classifier = TransformerClassifier(random_state=0, max_time=1e-6).fit(X, labels)
        classifier.save(tmp_path / "model.safetensors")
        again = load(tmp_path / "model.safetensors")
        assert again.predict(X).dtype == labels.dtype
        assert again.predict(X).tolist() == classifier.predict(X).tolist()


def test_bad_labels_are_a_sentence() -> None:
    X, y = rings(100, 0)
    classifier = DMDNClassifier(random_state=0, max_time=1e-6).fit(X, y)
    with pytest.raises(DataError, match="label 'worm' was never seen in training, which had 'in', 'out'"):
        classifier.score(X, ["worm"] * 100)
    with pytest.raises(DataError, match="1 of 100 records have no label"):
        classifier.score(X, [None, *y[1:]])
    with pytest.raises(DataError, match="one class only"):
        DMDNClassifier().fit(X, ["in"] * 100)
    with pytest.raises(DataError, match="99 labels for 100 records"):
        DMDNClassifier().fit(X, y[1:])
    with pytest.raises(DataError, match="head 'line' does not exist"):
        DMDNClassifier(head="line").fit(X, y)


@pytest.mark.parametrize("make", [DMDNClassifier, TransformerClassifier])
def test_no_records_have_no_labels(make: type) -> None:
    records = labelled_records(60, 0)
    inputs = records.drop_columns(["outcome"])
    classifier = make(random_state=0, max_time=1e-6).fit(inputs, records["outcome"])
    none = inputs.slice(0, 0)
    assert classifier.predict(none).shape == (0,)
    assert classifier.predict_proba(none).shape == (0, 2)
    assert classifier.anomaly_score(none).shape == classifier.score_samples(none).shape == (0,)
    assert classifier.explain(none) == []
