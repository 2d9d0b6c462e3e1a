"""What the parts of the default detector are worth, on the development sets: `unwonted bench ablation`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from unwonted.bench import tables
from unwonted.bench.adbench import GROUPS
from unwonted.bench.keeping import Kept
from unwonted.bench.loads import load
from unwonted.bench.matrix import Matrix
from unwonted.bench.measuring import Row, mean_sd
from unwonted.bench.results import added, chosen, command, earlier, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.datasets.problem import take
from unwonted.models.base import in_padded_chunks
from unwonted.models.dagmm import DAGMM
from unwonted.models.dmdn import DMDN
from unwonted.models.dsebm import DSEBM
from unwonted.models.ensemble import DensityEnsemble
from unwonted.models.memory import NEIGHBOURS
from unwonted.models.network_and_memory import NetworkAndMemory, unit

__all__ = ["VARIANTS", "Ablation", "Variant", "page", "run"]

Floats = NDArray[np.float64]
Member = tuple[Floats, Floats]
"""What a member says of held-out records and of the test, each (n,)."""

HELD_OUT = 0.2


@dataclass(frozen=True)
class Variant:
    """One way to make a score of members, and what was decided on it."""

    name: str
    members: tuple[str, ...]
    scale: str = "logarithm beyond the median"
    kept: bool = False


def _lines() -> list[Variant]:
    whole = ("network", "nearest")
    instead_of_network = ("given others", "given nothing", "both alike", "columns standardised")
    instead_of_nearest = ("1 nearest", "10 nearest", "nearest, plain axes", "LOF", "Gaussian mixture")
    besides = ("10 nearest", "nearest, plain axes", "LOF", "Gaussian mixture", "DSEBM", "DAGMM")
    return [
        Variant("network and nearest", whole, kept=True),
        *(Variant(f"{name} alone", (name,)) for name in whole),
        *(Variant(f"network: {name}", (name, "nearest")) for name in instead_of_network),
        *(Variant(f"in place of the nearest: {name}", ("network", name)) for name in instead_of_nearest),
        *(Variant(f"and {name}", (*whole, name)) for name in besides),
        *(Variant(f"{name} alone", (name,)) for name in ("LOF", "Gaussian mixture", "DSEBM", "DAGMM")),
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
    """Every variant on one table with one seed, from one fit of each member."""

    table: str
    seed: int

    libraries = ()

    @property
    def names(self) -> Row:
        """Table and seed; the method is all of them."""
        return {"table": self.table, "method": "ablation", "seed": self.seed}

    @property
    def what(self) -> str:
        """Table, seed and variants."""
        return f"ablation of {self.table}, seed {self.seed}: {VARIANTS}"

    def perform(self) -> Row:
        """AUROC and AUPRC of each variant."""
        data = load(self.table, self.seed)
        order = np.random.default_rng([self.seed, 5]).permutation(len(data.train))
        apart = max(2, int(HELD_OUT * len(order)))
        learn, held_out = take(data.train, np.sort(order[apart:])), take(data.train, np.sort(order[:apart]))
        members = _members(learn, (held_out, data.test), self.seed)
        row = self.names
        for variant in VARIANTS:
            scale = SCALES[variant.scale]
            score = np.sum([scale(before, now) for before, now in map(members.__getitem__, variant.members)], axis=0)
            row[variant.name] = {
                "auroc": float(roc_auc_score(data.is_anomaly, score)),
                "auprc": float(average_precision_score(data.is_anomaly, score)),
            }
        return row


def _members(learn: Any, parts: Sequence[Any], seed: int) -> dict[str, Member]:
    """What each member, fitted to the same records, says of each part."""
    whole = DensityEnsemble(random_state=seed).fit(learn)
    model = whole.model_
    assert isinstance(model, NetworkAndMemory)
    encoded = [whole._encoded(part) for part in parts]
    evidence = [whole._evidence(part).sum(1) for part in encoded]

    def said(of: Callable[[Any], Any]) -> Member:
        before, now = (in_padded_chunks(of, part, whole._device()) for part in encoded)
        return before.sum(1), now.sum(1)

    def scored(detector: Any, of: Sequence[Any] = parts) -> Member:
        before, now = (detector.anomaly_score(part) for part in of)
        return before, now

    others, nothing = said(model.network.given_others), said(model.network.given_nothing)
    found = {name: (evidence[0][:, i], evidence[1][:, i]) for i, name in enumerate(("network", "nearest"))}
    found |= {"given others": others, "given nothing": nothing}
    found["both alike"] = others[0] + nothing[0], others[1] + nothing[1]
    found["columns standardised"] = scored(DMDN(pooling="standardised", random_state=seed).fit(learn))
    found |= {kind.__name__: scored(kind(random_state=seed).fit(learn)) for kind in (DSEBM, DAGMM)}
    plain = Matrix().fit(learn)
    found["nearest, plain axes"] = _near(plain.transform(learn), [plain.transform(part) for part in parts], NEIGHBOURS)
    kept = model.points.kept.double().numpy()
    points = [in_padded_chunks(model.points, part, whole._device()) for part in encoded]
    for count in (1, 10):
        found[f"{count} nearest"] = _near(kept, points, count)
    outlying = LocalOutlierFactor(min(20, len(kept) - 1), novelty=True).fit(kept)
    mixture = GaussianMixture(max(1, min(10, len(kept) // 10)), reg_covar=1e-2, random_state=seed).fit(kept)
    for name, fitted in (("LOF", outlying), ("Gaussian mixture", mixture)):
        before, now = (-fitted.score_samples(part) for part in points)
        found[name] = before, now
    return found


def _near(kept: Floats, parts: Sequence[Floats], count: int) -> Member:
    """Mean distance of so many nearest records."""
    search = NearestNeighbors(n_neighbors=min(count, len(kept))).fit(kept)
    before, now = (search.kneighbors(part)[0].mean(1) for part in parts)
    return before, now


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
    work = [Ablation(name, seed) for name in names for seed in range(seeds)]
    kept = Kept(out, before["rows"])
    rows = run_jobs(work, workers=workers, threads=1, limit=1800.0, kept=kept, progress=progress)
    results = added(before, rows, environment(command("ablation", seeds, only)))
    write(out / "ablation.json", results, page(results))
    return results


def page(results: Mapping[str, Any]) -> str:
    """Each variant's means over the development sets and what it gains or loses against the detector as it is."""
    rows = [row for row in results["rows"] if "error" not in row]
    sets = len({row["table"] for row in rows})
    mean = partial(_mean, rows)
    usual = VARIANTS[0].name
    lines = [
        [
            f"**{variant.name}**" if variant.kept else variant.name,
            f"{mean(variant.name, 'auroc'):.4f}",
            f"{mean(variant.name, 'auroc') - mean(usual, 'auroc'):+.4f}",
            _spread(rows, variant.name, usual),
            f"{mean(variant.name, 'auprc'):.4f}",
            f"{mean(variant.name, 'auprc') - mean(usual, 'auprc'):+.4f}",
        ]
        for variant in VARIANTS
    ]
    text = (
        f"Means over {sets} development sets and their seeds, one-class as in `adbench.md`; no other set was looked "
        "at. All variants of a table and seed share one fit of each member, on four fifths of the training records; "
        "the other fifth sets the scales. The detector as it is stands first and in bold; the others were dropped. ± "
        "is the standard deviation of the difference in AUROC over seeds, after the mean over tables. *Network* is the "
        f"surprise of `DMDN`, *nearest* the mean distance of the {NEIGHBOURS} nearest training records, as in "
        "`DensityEnsemble`; *plain axes* are standardised numbers and one-hot categories; *LOF* (20 neighbours) and "
        "*Gaussian mixture* (10, full covariances) are scikit-learn's, on the axes that the nearest are found on."
    )
    head = ["score", "AUROC", "against the detector", "±", "AUPRC", "against the detector"]
    return tables.page("Ablation of the default detector", results, [text, tables.markdown(head, lines)])


def _mean(rows: Sequence[Row], name: str, figure: str) -> float:
    by_table = tables.grouped(rows, lambda row: row["table"]).values()
    return float(np.mean([np.mean([row[name][figure] for row in of_one]) for of_one in by_table]))


def _spread(rows: Sequence[Row], name: str, usual: str) -> str:
    by_seed = tables.grouped(rows, lambda row: row["seed"]).values()
    gains = [float(np.mean([row[name]["auroc"] - row[usual]["auroc"] for row in of_one])) for of_one in by_seed]
    return f"{mean_sd(gains)[1]:.4f}"
