"""What the parts of the default detector are worth, on the development sets: `unwonted bench ablation`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from unwonted.bench import tables
from unwonted.bench.adbench import GROUPS, Protocol
from unwonted.bench.keeping import Kept
from unwonted.bench.loads import load, load_unlabelled
from unwonted.bench.matrix import Matrix
from unwonted.bench.measuring import Row, mean_sd
from unwonted.bench.results import added, chosen, command, earlier, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.datasets.problem import take
from unwonted.models.dagmm import DAGMM
from unwonted.models.dsebm import DSEBM
from unwonted.models.ensemble import DensityEnsemble
from unwonted.models.memory import NEIGHBOURS, SAME
from unwonted.models.network_and_memory import NetworkAndMemory
from unwonted.models.scale import unit

__all__ = ["VARIANTS", "Ablation", "Variant", "page", "run"]

Floats = NDArray[np.float64]
Member = tuple[Floats, Floats]
"""What a member says of held-out records and of the test, each (n,) or, by several views, (n, views)."""

HELD_OUT = 0.2
SAMPLES, SIZES = 16, (32, 128, 512)  # random samples of training records, that the nearest is looked for in


TWO_THIRDS = "two thirds given others, a third given nothing"
ALIKE, WEIGHED = "all columns alike", "without the sum of all columns alike"
PLAIN, ABSOLUTE = "nearest, plain axes", "nearest, absolute differences"


@dataclass(frozen=True)
class Variant:
    """One way to make a score of members, by their weights, and whether it was kept."""

    name: str
    weights: Mapping[str, float]
    scale: str = "logarithm beyond the median"
    kept: bool = False


def _lines() -> list[Variant]:
    whole = dict.fromkeys(("network", "nearest"), 1.0)
    instead_of_network = (ALIKE, WEIGHED, "given others", "given halves", "given nothing", TWO_THIRDS)
    samples = [f"nearest in samples of {size}" for size in SIZES]
    instead_of_nearest = (*samples, "1 nearest", "10 nearest", PLAIN, ABSOLUTE, "LOF", "Gaussian mixture")
    besides = (*samples, "10 nearest", PLAIN, "LOF", "Gaussian mixture", "isolation forest", "DSEBM", "DAGMM")
    return [
        Variant("network and nearest", whole, kept=True),
        *(Variant(f"{name} alone", {name: 1.0}) for name in whole),
        *(Variant(f"network: {name}", {name: 1.0, "nearest": 1.0}) for name in instead_of_network),
        *(Variant(f"in place of the nearest: {name}", {"network": 1.0, name: 1.0}) for name in instead_of_nearest),
        *(
            Variant(f"a quarter {name}", {"network": 1.0, "nearest": 0.5, name: 0.5})
            for name in (*samples, "isolation forest")
        ),
        *(Variant(f"and {name}", whole | {name: 1.0}) for name in besides),
        *(Variant(f"{name} alone", {name: 1.0}) for name in (*samples, *besides[len(samples) + 2 :])),
        *(Variant(f"scale: {scale}", whole, scale) for scale in list(SCALES)[1:]),
    ]


def _units(held_out: Floats, spread: float, x: Floats) -> Floats:
    t: Floats = (x - np.median(held_out)) / (spread + 1e-9)
    return t


def _bent(held_out: Floats, x: Floats) -> Floats:
    t = _units(held_out, unit(held_out), x)
    return np.where(t > 0, np.log1p(np.maximum(t, 0.0)), t)


def _straight(held_out: Floats, x: Floats) -> Floats:
    return _units(held_out, unit(held_out), x)


def _standardised(held_out: Floats, x: Floats) -> Floats:
    return _units(held_out, float(held_out.std()), x)


def _ranked(held_out: Floats, x: Floats) -> Floats:
    found: Floats = np.searchsorted(np.sort(held_out), x) / len(held_out)
    return found


SCALES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "logarithm beyond the median": _bent,
    "linear": _straight,
    "linear, in standard deviations": _standardised,
    "ranks among held-out records, with ties beyond": _ranked,
}
"""How a member's score is brought to the scale of the others: (held-out scores, scores) to numbers, (n,)."""

VARIANTS = _lines()


@dataclass(frozen=True)
class Ablation:
    """Every variant on one table with one seed, from one fit of each member, in one protocol."""

    table: str
    seed: int
    protocol: Protocol = "one-class"

    libraries = ()

    @property
    def names(self) -> Row:
        """Table, seed and protocol, which stands for the methods: they are all in one row."""
        return {"table": self.table, "method": self.protocol, "seed": self.seed}

    @property
    def what(self) -> str:
        """Table, seed, protocol and variants."""
        return f"ablation of {self.table}, {self.protocol}, seed {self.seed}: {VARIANTS}"

    def perform(self) -> Row:
        """AUROC and AUPRC of each variant."""
        one_class = self.protocol == "one-class"
        data = (load if one_class else load_unlabelled)(self.table, self.seed)
        order = np.random.default_rng([self.seed, 5]).permutation(len(data.train))
        apart = max(2, int(HELD_OUT * len(order)))
        held_out = take(data.train, np.sort(order[:apart]))
        # Without labels what is learnt from is scored, so all of it must be alike.
        learn = take(data.train, np.sort(order[apart:])) if one_class else data.train
        members = _members(learn, (held_out, data.test), self.seed)
        row = self.names
        for variant in VARIANTS:
            scale = SCALES[variant.scale]
            score = np.sum([w * _strangest(scale, members[name]) for name, w in variant.weights.items()], axis=0)
            row[variant.name] = {
                "auroc": float(roc_auc_score(data.is_anomaly, score)),
                "auprc": float(average_precision_score(data.is_anomaly, score)),
            }
        return row


def _strangest(scale: Callable[[Floats, Floats], Floats], member: Member) -> Floats:
    """What the view says by which a record is strangest, each view on the scale."""
    before, now = (np.reshape(said, (len(said), -1)).T for said in member)
    found: Floats = np.max(list(map(scale, before, now)), axis=0)
    return found


def _members(learn: Any, parts: Sequence[Any], seed: int) -> dict[str, Member]:
    """What each member, fitted to the same records, says of each part."""
    whole = DensityEnsemble(random_state=seed).fit(learn)
    model = whole.model_
    assert isinstance(model, NetworkAndMemory)
    encoded = [whole._encoded(part) for part in parts]
    evidence = [whole._evidence(part) for part in encoded]

    def scored(detector: Any) -> Member:
        before, now = (detector.anomaly_score(part) for part in parts)
        return before, now

    of_network, alike, nearest = zip(
        *(
            (model.network.counting(each[..., :-1]).sum(1), each[..., :-1].sum(1), each[..., -1].sum(1))
            for each in evidence
        ),
        strict=True,
    )
    found: dict[str, Member] = {"network": of_network, ALIKE: alike, "nearest": nearest}
    for view, name in enumerate(("given others", "given halves", "given nothing")):
        found[name] = of_network[0][:, view], of_network[1][:, view]
    found[TWO_THIRDS] = of_network[0] @ [2 / 3, 0, 1 / 3, 0], of_network[1] @ [2 / 3, 0, 1 / 3, 0]
    found[WEIGHED] = of_network[0][:, :3], of_network[1][:, :3]
    found["DSEBM"] = scored(DSEBM(random_state=seed).fit(learn))
    found["DAGMM"] = scored(DAGMM(networks=1, random_state=seed).fit(learn))
    kept = model.points.kept.double().numpy()
    points = [whole._told(lambda model: model.points, part) for part in encoded]
    plain = Matrix().fit(learn)
    found |= {f"{count} nearest": _nearest(kept, points, count) for count in (1, 10)}
    found[PLAIN] = _nearest(plain.transform(learn), list(map(plain.transform, parts)))
    found[ABSOLUTE] = _nearest(kept, points, metric="manhattan")
    rng = np.random.default_rng(seed)
    for size in SIZES:
        drawn = [kept[rng.choice(len(kept), min(size, len(kept) // 2), replace=False)] for _ in range(SAMPLES)]
        before, now = zip(*(_nearest(sample, points, 1) for sample in drawn), strict=True)
        found[f"nearest in samples of {size}"] = np.mean(before, 0), np.mean(now, 0)
    outlying = LocalOutlierFactor(min(20, len(kept) - 1), novelty=True).fit(kept)
    mixture = GaussianMixture(max(1, min(10, len(kept) // 10)), reg_covar=1e-2, random_state=seed).fit(kept)
    forest = IsolationForest(random_state=seed).fit(kept)
    for name, fitted in (("LOF", outlying), ("Gaussian mixture", mixture), ("isolation forest", forest)):
        before, now = (-fitted.score_samples(part) for part in points)
        found[name] = before, now
    return found


def _nearest(kept: Floats, parts: Sequence[Floats], count: int = NEIGHBOURS, metric: str = "euclidean") -> Member:
    """Mean distance of so many nearest records, but one at no distance: it may be the very record asked about."""
    search = NearestNeighbors(n_neighbors=min(count + 1, len(kept)), metric=metric).fit(kept)
    found = []
    for part in parts:
        distances = search.kneighbors(part)[0]
        itself = distances[:, :1] < SAME
        found.append(np.where(itself, distances[:, 1:], distances[:, :-1]).mean(1))
    return found[0], found[1]


def run(
    out: Path, seeds: int = 3, progress: Progress | None = None, only: Sequence[str] | None = None, workers: int = 2
) -> dict[str, Any]:
    """Runs the ablation and writes `ablation.json` and `ablation.md`.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; each draws its own split.
        progress: See `unwonted.bench.running`.
        only: Names of the tables to run; None runs all development sets.
        workers: Processes at a time, of one thread each.

    Returns:
        What `ablation.json` holds: how it was made, and a row with all variants for each table and seed.

    Raises:
        DataError: `only` names what is no development set; a data file is missing or altered.
    """
    names = chosen(only, [name for group, there in GROUPS.items() if "development" in group for name in there])
    before = earlier(out / "ablation.json")
    protocols = get_args(Protocol)
    work = [Ablation(name, seed, protocol) for name in names for seed in range(seeds) for protocol in protocols]
    kept = Kept(out, before["rows"])
    rows = run_jobs(work, workers=workers, threads=1, limit=1800.0, kept=kept, progress=progress)
    results = added(before, rows, environment(command("ablation", seeds, only)))
    write(out / "ablation.json", results, page(results))
    return results


def page(results: Mapping[str, Any]) -> str:
    """Each variant's means over the development sets and what it gains or loses against the detector as it is."""
    by_protocol = tables.grouped(tables.finished(results["rows"]), lambda row: row["method"])
    usual = VARIANTS[0].name
    lines = []
    for variant in VARIANTS:
        lines.append([f"**{variant.name}**" if variant.kept else variant.name])
        for rows in by_protocol.values():
            roc, precision = _mean(rows, variant.name, "auroc"), _mean(rows, variant.name, "auprc")
            lines[-1] += [
                f"{roc:.4f}",
                f"{roc - _mean(rows, usual, 'auroc'):+.4f}{_spread(rows, variant.name, usual)}",
                f"{precision:.4f}",
                f"{precision - _mean(rows, usual, 'auprc'):+.4f}",
            ]
    sets = len({row["table"] for row in results["rows"]})
    text = (
        f"Means over {sets} development sets and their seeds, in both protocols of `adbench.md`; no other set was "
        "looked at. All variants of a table and seed share one fit of each member, on four fifths of the training "
        "records (unsupervised, on all); the other fifth sets the scales. The detector as it is stands first and in "
        "bold; the others were dropped. ± is the standard deviation of the difference in AUROC over seeds, after the "
        "mean over tables. *Network* is `DMDN`, by the view by which a record is strangest, *nearest* the mean "
        f"distance of the {NEIGHBOURS} nearest training records, as in `DensityEnsemble`; what is *a quarter* takes "
        f"half of the weight of the nearest. *In samples* is the mean over {SAMPLES} random samples of the training "
        "records; *plain axes* are "
        "standardised numbers and one-hot categories; by *absolute differences* distances are sums, not roots of sums "
        "of squares. *LOF* (20 neighbours), *Gaussian mixture* (10, full covariances) and *isolation forest* are "
        "scikit-learn's, on the axes of the nearest; *DAGMM* is one network, not the mean of four."
    )
    head = ["score"]
    for protocol in by_protocol:
        head += [f"AUROC, {protocol}", "against the detector", "AUPRC", "against the detector"]
    failed = tables.failures(results["rows"])
    return tables.page("Ablation of the default detector", results, [text, tables.markdown(head, lines), failed])


def _mean(rows: Sequence[Row], name: str, figure: str) -> float:
    by_table = tables.grouped(rows, lambda row: row["table"]).values()
    return float(np.mean([np.mean([row[name][figure] for row in of_one]) for of_one in by_table]))


def _spread(rows: Sequence[Row], name: str, usual: str) -> str:
    by_seed = tables.grouped(rows, lambda row: row["seed"]).values()
    gains = [float(np.mean([row[name]["auroc"] - row[usual]["auroc"] for row in of_one])) for of_one in by_seed]
    return f" ± {mean_sd(gains)[1]:.4f}" if len(gains) > 1 else ""
