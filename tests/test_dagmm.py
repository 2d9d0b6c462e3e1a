"""DAGMM: it learns, by gradients through the mixture; its energy is SciPy's; it tells two kinds of anomaly apart."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from torch import Generator

from unwonted import DataError
from unwonted.encode import Encoded
from unwonted.models import dagmm
from unwonted.models.base import CHUNK
from unwonted.models.dagmm import DAGMM
from unwonted.models.gaussian_autoencoder import FEATURES, VARIANTS, GaussianAutoencoder
from unwonted.models.mixtures import Mixtures

Floats = NDArray[np.float64]

# Without hidden layers the autoencoder is linear, and what it can restore is a plane.
SIZES: dict[str, Any] = {"hidden": (), "code": 2, "components": 3, "networks": 1, "random_state": 0, "exemplars": 0}
DIMENSIONS = 8


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagmm, "MOST_STEPS", 600)


def _plane() -> Floats:
    """Axes of a plane, (2, DIMENSIONS), in which ordinary records lie."""
    q, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(DIMENSIONS, 2)))
    return 3 * q.T


def ordinary(n: int, seed: int) -> Floats:
    """Two clusters in a plane, and a little noise off it."""
    rng = np.random.default_rng(seed)
    inside = rng.normal(0, 0.15, (n, 2)) + np.where(rng.random((n, 1)) < 0.5, [[1.0, 0.5]], [[-1.0, -0.5]])
    return inside @ _plane() + rng.normal(0, 0.1, (n, DIMENSIONS))


def off_the_plane(n: int, seed: int, far: float = 1.2) -> Floats:
    """Ordinary records moved off the plane."""
    rng = np.random.default_rng(seed)
    away = rng.normal(size=(n, DIMENSIONS))
    away -= away @ np.linalg.pinv(_plane()) @ _plane()
    return ordinary(n, seed) + far * away / np.linalg.norm(away, axis=1, keepdims=True)


def between_the_clusters(n: int, seed: int) -> Floats:
    """In the plane, where no cluster is."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.05, (n, 2)) @ _plane() + rng.normal(0, 0.1, (n, DIMENSIONS))


def encoded(detector: DAGMM, X: Any) -> Encoded:
    found = detector._encoded(X)
    assert isinstance(found, Encoded)
    return found


def network(detector: DAGMM) -> GaussianAutoencoder:
    assert isinstance(detector.model_, GaussianAutoencoder)
    return detector.model_


def standardised(detector: DAGMM, X: Any) -> Floats:
    """The latent of records as the mixture of the one network sees it."""
    model = network(detector)
    with torch.no_grad():
        z = model._latent(model.read(encoded(detector, X)).double())[0]
    return ((z - model.centre) / model.spread)[0].numpy()


def energy(mixtures: Mixtures, u: Floats) -> Floats:
    """SciPy's energy under a kept mixture, of one network."""
    weights, means, roots = (
        kept[0].numpy() for kept in (mixtures.log_weights.exp(), mixtures.means, mixtures.cholesky)
    )
    assert weights.sum() == pytest.approx(1)
    logs = [
        np.log(weight) + multivariate_normal.logpdf(u, mean, root @ root.T)
        for weight, mean, root in zip(weights, means, roots, strict=True)
    ]
    return -np.asarray(logsumexp(logs, axis=0))


def told(detector: DAGMM, X: Any) -> Floats:
    return detector._evidence(encoded(detector, X))


@pytest.fixture(scope="module")
def fitted() -> dict[str, DAGMM]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagmm, "MOST_STEPS", 600)
        return {variant: DAGMM(variant=variant, **SIZES).fit(ordinary(600, seed=0)) for variant in VARIANTS}


def test_training_lowers_the_objective_and_finds_anomalies_that_no_random_network_finds() -> None:
    # The untrained network has the mixture of all training records too: only its weights are not learnt.
    new, strange = ordinary(400, seed=1), off_the_plane(200, seed=2)
    truth = np.repeat([0, 1], [400, 200])
    figures = []
    for seed in range(3):
        for wrap in (DAGMM.untrained, lambda detector: detector):
            detector = wrap(DAGMM(**(SIZES | {"hidden": (12,), "random_state": seed}))).fit(ordinary(600, seed=0))
            scores = detector.anomaly_score(np.concatenate([new, strange]))
            figures.append((detector.objective(new), roc_auc_score(truth, scores)))
    (before, was), (after, now) = np.reshape(figures, (3, 2, 2)).transpose(1, 2, 0)
    assert (after < before - 1).all()
    assert now.min() > 0.95 > was.max() + 0.02


def test_gradients_reach_every_parameter_of_every_network(fitted: dict[str, DAGMM]) -> None:
    detector = DAGMM(**(SIZES | {"networks": 3}))
    model = detector._model(fitted["joint"].encoder_, 600, seed=1).train()
    batch = encoded(fitted["joint"], ordinary(100, seed=0))
    model.loss(batch, Generator().manual_seed(0)).mean().backward()
    names = {name.split(".")[0] for name, _ in model.named_parameters()}
    assert names == {"encoder", "decoder", "estimation"}
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert torch.isfinite(weights.grad).all(), name
        assert weights.grad.flatten(1).any(1).all(), name


def test_the_gradient_goes_through_the_statistics_of_the_mixture(fitted: dict[str, DAGMM]) -> None:
    # One record's loss depends on the inputs of the others through the mixture of the batch alone.
    detector = fitted["joint"]
    model = detector._model(detector.encoder_, 600, seed=1).train()
    batch = encoded(detector, ordinary(50, seed=0))
    values = batch.values.requires_grad_()
    (gradient,) = torch.autograd.grad(model.loss(batch, Generator().manual_seed(0))[0], values)
    assert gradient[1:].any(1).all()


def test_the_loss_is_the_objective_of_the_paper(fitted: dict[str, DAGMM]) -> None:
    detector, X = fitted["joint"], ordinary(200, seed=1)
    model, batch = network(detector), encoded(detector, X)
    with torch.no_grad():
        x = model.read(batch) / model.unit
        code = model.encoder(x[None])
        restored = model.decoder(code)[0]
        features = [FEATURES[name](x, restored) for name in ("euclidean", "cosine")]
        u = np.column_stack([code[0], *features]).astype(np.float64)
        u = (u - u.mean(0)) / u.std(0)
        memberships = model.estimation(torch.tensor(u).float()[None])[0].softmax(1).double().numpy()
        loss = model.loss(batch, Generator()).numpy()
    logs, penalty = [], 0.0
    for share in memberships.T:
        covariance = np.cov(u.T, aweights=share, ddof=0) + model.floor * np.eye(4)
        mean = np.average(u, axis=0, weights=share)
        logs.append(np.log(share.mean()) + multivariate_normal.logpdf(u, mean, covariance))
        penalty += (1 / np.diag(covariance)).sum()
    error = (x - restored).square().sum(1).numpy()
    wanted = error - 0.1 * logsumexp(logs, axis=0) + 0.005 * penalty
    np.testing.assert_allclose(loss, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_networks_side_by_side_are_as_each_by_itself(fitted: dict[str, DAGMM], variant: str) -> None:
    detector = DAGMM(**(SIZES | {"variant": variant, "networks": 3, "hidden": (4,)})).fit(ordinary(600, seed=0))
    batch, together = encoded(detector, ordinary(100, seed=1)), network(detector)
    kept_by_all = together.state_dict().items()
    losses, evidence = [], []
    for i in range(3):
        one = DAGMM(**(SIZES | {"variant": variant, "hidden": (4,)}))._model(detector.encoder_, 600, seed=9).eval()
        own = {name: kept if name in ("unit", "typical", "usual") else kept[i : i + 1] for name, kept in kept_by_all}
        one.load_state_dict(own)
        with torch.no_grad():
            losses.append(one.loss(batch, Generator()))
            evidence.append(one.evidence(batch))
    with torch.no_grad():
        torch.testing.assert_close(together.loss(batch, Generator()), torch.stack(losses).mean(0))
        torch.testing.assert_close(together.evidence(batch), torch.stack(evidence).mean(0))
    assert torch.stack(evidence)[..., 0].std(0).min() > 0  # no two of them are the same


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_score_is_scipys_energy_under_the_kept_mixture(fitted: dict[str, DAGMM], variant: str) -> None:
    detector, X = fitted[variant], np.concatenate([ordinary(50, seed=1), off_the_plane(20, seed=2)])
    model, u = network(detector), standardised(detector, X)
    expected = {"of_code": energy(model.of_code, u[:, :2])}
    if variant in ("joint", "staged"):
        expected["of_latent"] = energy(model.of_latent, u)
    score, error, of_code = told(detector, X).T
    np.testing.assert_allclose(of_code, expected["of_code"], rtol=1e-4, atol=1e-4)
    wanted = {"projection": error, "density": of_code}.get(variant, expected.get("of_latent"))
    np.testing.assert_allclose(score, wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(detector.anomaly_score(X), score)


def test_the_kept_mixture_is_that_of_all_training_records() -> None:
    # More records than are read at a time; the mixture that scikit-learn would have of the same memberships.
    X = ordinary(600, seed=0)
    detector = DAGMM(max_time=1e-6, **SIZES).fit(X)
    model, many = network(detector), encoded(detector, np.tile(X, (9, 1)))
    model.remember(many, Generator().manual_seed(0))
    u = np.concatenate([standardised(detector, X[:300]), standardised(detector, X[300:])])
    np.testing.assert_allclose(u.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(u.std(0), 1, atol=1e-5)
    with torch.no_grad():
        memberships = model._memberships(torch.tensor(u)[None])[0].numpy()
    np.testing.assert_allclose(model.of_latent.log_weights[0].exp(), memberships.mean(0), rtol=1e-4)
    means = memberships.T @ u / memberships.sum(0)[:, None]
    np.testing.assert_allclose(model.of_latent.means[0], means, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("variant", "size"), [("staged", 4), ("density", 2)])
def test_the_mixture_fitted_last_is_as_good_as_scikit_learns(fitted: dict[str, DAGMM], variant: str, size: int) -> None:
    detector, X = fitted[variant], ordinary(600, seed=0)[:CHUNK]
    other = GaussianMixture(3, n_init=3, random_state=0).fit(standardised(detector, X)[:, :size])
    assert detector.anomaly_score(X).mean() < -other.score(standardised(detector, X)[:, :size]) + 0.1


@pytest.mark.parametrize(
    ("variant", "sees_projection", "sees_density"),
    [("joint", True, True), ("staged", True, True), ("density", False, True), ("projection", True, False)],
)
def test_each_variant_finds_its_kind_of_anomaly(
    fitted: dict[str, DAGMM], variant: str, sees_projection: bool, sees_density: bool
) -> None:
    detector, new = fitted[variant], ordinary(300, seed=1)
    truth = np.repeat([0, 1], [300, 100])
    for strange, seen in ((off_the_plane(100, 2), sees_projection), (between_the_clusters(100, 3), sees_density)):
        auroc = roc_auc_score(truth, detector.anomaly_score(np.concatenate([new, strange])))
        assert auroc > 0.9 if seen else auroc < 0.8


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_two_kinds_are_told_apart(fitted: dict[str, DAGMM], variant: str) -> None:
    detector = fitted[variant]
    for X, kind in ((off_the_plane(100, 2, far=2), "projection"), (between_the_clusters(100, 3), "density")):
        kinds = network(detector).kinds(told(detector, X))
        assert np.mean([found == kind for found in kinds]) > 0.9, kind
    assert [explanation.kind for explanation in detector.explain(off_the_plane(3, 2, far=4))] == ["projection"] * 3


def test_the_floor_hardly_matters(fitted: dict[str, DAGMM]) -> None:
    detector, truth = fitted["joint"], np.repeat([0, 1], [300, 100])
    X = np.concatenate([ordinary(300, seed=1), between_the_clusters(50, 3), off_the_plane(50, 2)])
    training = encoded(detector, ordinary(600, seed=0))
    model, aurocs = network(detector), []
    for scale in (0.1, 10.0, 1.0):
        model.floor = scale * dagmm.FLOOR
        model.remember(training, Generator().manual_seed(0))
        aurocs.append(roc_auc_score(truth, detector.anomaly_score(X)))
    assert np.ptp(aurocs) < 0.002


def test_a_collapsed_component_and_a_constant_code_do_no_harm(fitted: dict[str, DAGMM]) -> None:
    detector = fitted["joint"]
    batch = encoded(detector, ordinary(100, seed=1))
    model = detector._model(detector.encoder_, 600, seed=1).train()
    with torch.no_grad():
        model.estimation.layers[-1].bias.copy_(torch.tensor([[0.0, -1e4, -1e4]]))  # all belong to the first
        model.encoder.layers[-1].weight.zero_()  # the code is one point
    loss = model.loss(batch, Generator().manual_seed(0))
    loss.mean().backward()
    assert torch.isfinite(loss).all()
    assert all(torch.isfinite(weights.grad).all() for weights in model.parameters() if weights.grad is not None)
    model.remember(batch, Generator().manual_seed(0))
    assert torch.isfinite(model.eval().evidence(batch)).all()
    assert model.of_latent.log_weights[0, 1:].exp().max() == 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("preset", [None, "thyroid"])
def test_ten_records_are_enough(variant: str, preset: str | None) -> None:
    detector = DAGMM(preset, variant=variant, random_state=0, max_time=0.05).fit(ordinary(10, seed=0))
    evidence = told(detector, np.concatenate([ordinary(5, seed=1), 0 * ordinary(1, 0), [[1e300] * DIMENSIONS]]))
    assert np.isfinite(evidence).all()
    assert (evidence[-1] < 1e200).all()


@pytest.mark.parametrize("features", [tuple(FEATURES), dagmm.PAPERS, dagmm.CENTRED])
def test_strange_records_have_finite_scores_and_gradients(features: tuple[str, ...]) -> None:
    detector = DAGMM(features=features, max_time=0.2, **SIZES).fit(ordinary(300, seed=0))
    model = network(detector)
    x = torch.tensor([0.0, 1e-30, 1e4, 1e8, -1e8])[:, None].expand(5, DIMENSIONS).clone().requires_grad_()
    energy = model.energy(x, encoded(detector, ordinary(5, seed=1)))
    energy.sum().backward()
    assert torch.isfinite(energy).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert energy[2] > energy[0] or "relative" in features  # ‖x − x′‖/‖x‖ is at most about 1 far out


def test_the_features_are_what_they_are_called() -> None:
    x, restored = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[3.0, 1.0], [0.0, 1.0]])
    wanted = {
        "relative": [3 / 5, 2**0.5],
        "cosine": [13 / (5 * 10**0.5), 0.0],
        "euclidean": [3.0, 2**0.5],
        "manhattan": [3.0, 2.0],
    }
    assert wanted.keys() == FEATURES.keys()
    for name, values in wanted.items():
        torch.testing.assert_close(FEATURES[name](x, restored), torch.tensor(values), rtol=1e-3, atol=1e-3)


def test_presets_have_the_sizes_of_the_paper_and_numbers_from_0_to_1() -> None:
    rng = np.random.default_rng(0)
    for preset, inputs in (("thyroid", 6), ("arrhythmia", 274)):
        detector = DAGMM(preset, random_state=0, max_time=1e-6).fit(rng.lognormal(size=(40, inputs)))
        model = network(detector)
        sizes = [layer.weight.shape[1] for net in (model.encoder, model.decoder) for layer in net.layers]
        wanted = {"thyroid": [12, 4, 1, 4, 12, 6], "arrhythmia": [10, 2, 10, 274]}[preset]
        assert sizes == wanted
        assert [layer.weight.shape[1] for layer in model.estimation.layers] == [10, 2]
        assert {len(layer.weight) for layer in model.encoder.layers} == {1}
        read = model.read(encoded(detector, rng.lognormal(size=(99, inputs))))
        assert read.min() > -5
        assert read.max() < 5
        assert detector.encoder_.parts[0].linear
    far = model.read(encoded(detector, np.full((1, 274), 1e300)))
    assert far.max() < 100


def test_scores_do_not_depend_on_company_or_order(fitted: dict[str, DAGMM]) -> None:
    X = np.concatenate([ordinary(700, seed=1), off_the_plane(30, seed=2)])
    order = np.random.default_rng(0).permutation(len(X))
    for detector in fitted.values():
        scores = detector.anomaly_score(X)
        np.testing.assert_allclose(detector.anomaly_score(X[order]), scores[order], rtol=1e-6, atol=1e-9)
        assert detector.anomaly_score(X[-1:])[0] == pytest.approx(scores[-1], rel=1e-6)


def test_weights_and_buffers_are_all_that_scores_need(fitted: dict[str, DAGMM]) -> None:
    X = ordinary(50, seed=1)
    for detector in fitted.values():
        sized = DAGMM(**(detector.get_params() | detector.model_.architecture))
        model = sized._model(detector.encoder_, detector.summary_["train"], seed=9)
        model.load_state_dict(detector.model_.state_dict())
        with torch.no_grad():
            again = model.eval().evidence(encoded(detector, X)).numpy()
        np.testing.assert_allclose(again, told(detector, X), rtol=1e-5, atol=1e-5)
        assert model.kinds(again) == network(detector).kinds(again)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"preset": "iris"}, "preset 'iris'"),
        ({"variant": "apart"}, "variant 'apart'"),
        ({"features": ("cosine", "sine")}, "feature 'sine'"),
        ({"floor": 0.0}, "floor"),
        ({"networks": 0}, "networks"),
    ],
)
def test_what_does_not_exist_is_refused(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(DataError, match=word):
        DAGMM(**wrong).fit(ordinary(20, seed=0))
