"""The parts that the heads of a network are asked about, and where what belongs to them lies."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.nets import register_derived
from unwonted.parts import NOVEL, CategoricalPart, CyclicPart, NumericPart, Part

__all__ = ["LEAST_SCALE", "Asked"]

LEAST_SCALE = 0.1  # of a component, in standard deviations of the column
LARGEST_LOG_SCALE = 5.0
CIRCLE_SCALE = 2.0  # largest σ on a circle of 2π, a third of the way round

_OF_PARTS = ("parts", "sizes", "slot", "log_seen", "log_novel", "missing", "largest_log_scale")
_OF_OUTCOMES = ("rows", "shared")


class Asked(nn.Module):
    """All of the parts, or some: what is the same for every batch that is asked about them.

    Args:
        tables: What `_OF_PARTS` and `_OF_OUTCOMES` name, of each asked part and of each of their outcomes, in order.
        kinds: By which law each part's values are distributed: "category" for none, "density", "mass" or "circle".
        whole: Whether no part is left out.

    Attributes:
        parts: Their positions among all, ascending, shape (asked,).
        sizes, starts: How many outcomes each has, and where they start among those of the asked.
        member: One-hot, which outcome is whose, shape (outcomes, asked).
        place: Positions among the asked of those that have values; `gaps` their codes of a gap, `firsts` the outcomes
            that stand for a value.
        slots: Positions of these among all that have values, in the mixtures and in the batch.
        ceilings: Largest log scale of each of these.
        laws: Kind of law and positions among those that have values; `order` puts what is found law by law in theirs.
    """

    parts: Tensor
    sizes: Tensor
    slot: Tensor
    log_seen: Tensor
    log_novel: Tensor
    missing: Tensor
    largest_log_scale: Tensor
    rows: Tensor
    shared: Tensor
    owner: Tensor
    starts: Tensor
    member: Tensor
    place: Tensor
    slots: Tensor
    firsts: Tensor
    gaps: Tensor
    ceilings: Tensor
    order: Tensor

    def __init__(self, tables: dict[str, Tensor], kinds: tuple[str, ...], whole: bool) -> None:
        super().__init__()
        sizes, slot = tables["sizes"], tables["slot"]
        starts = sizes.cumsum(0) - sizes
        owner = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        place = (slot >= 0).nonzero().flatten()
        valued = [kind for kind in kinds if kind != "category"]
        self.laws = {law: [i for i, kind in enumerate(valued) if kind == law] for law in dict.fromkeys(valued)}
        by_law = torch.tensor([i for there in self.laws.values() for i in there], dtype=torch.long)
        derived = {
            "owner": owner,
            "starts": starts,
            "member": functional.one_hot(owner, len(sizes)).float(),
            "place": place,
            "slots": slot[place],
            "firsts": starts[place],
            "gaps": tables["missing"][place],
            "ceilings": tables["largest_log_scale"][place],
            "order": by_law.argsort().to(sizes.device),
        }
        register_derived(self, tables | derived)
        self.kinds, self.whole = kinds, whole
        self.all_valued = len(valued) == len(kinds)
        self.any_shared = bool(self.shared.any())
        gaps = self.gaps != NOVEL
        self.any_gaps = bool(gaps.any())
        self.any_atoms = bool((sizes[place] > 1 + gaps.long()).any())

    @classmethod
    def every(cls, parts: Sequence[Part], exact: bool) -> "Asked":
        """All parts; see `DensityHeads` for `exact`."""
        kinds = tuple(map(_kind, parts))
        if not exact:  # a value that stands for no bin has one of width 0: one law serves both
            kinds = tuple("density" if kind == "mass" else kind for kind in kinds)
        sizes = torch.tensor([part.outcomes for part in parts])
        valued = torch.tensor([kind != "category" for kind in kinds])
        circles = torch.tensor([kind == "circle" for kind in kinds])
        novelty = torch.tensor([part.novelty for part in parts])
        shared = [part.shared() if isinstance(part, CategoricalPart) else [0.0] * part.outcomes for part in parts]
        tables = {
            "parts": torch.arange(len(parts)),
            "sizes": sizes,
            "slot": torch.where(valued, valued.cumsum(0) - 1, -1),
            "log_seen": torch.log1p(-novelty),
            "log_novel": (novelty / torch.tensor([getattr(part, "unseen", 1.0) for part in parts])).log(),
            "missing": torch.tensor([part.gap for part in parts]),
            "largest_log_scale": torch.where(circles, math.log(CIRCLE_SCALE - LEAST_SCALE), LARGEST_LOG_SCALE),
            "rows": torch.arange(int(sizes.sum())),
            "shared": torch.tensor([x for shares in shared for x in shares], dtype=torch.float32),
        }
        return cls(tables, kinds, whole=True)

    def some(self, positions: Tensor) -> "Asked":
        """Those at the positions, ascending."""
        mine = torch.isin(self.owner, positions)
        tables = {name: getattr(self, name)[positions] for name in _OF_PARTS}
        tables |= {name: getattr(self, name)[mine] for name in _OF_OUTCOMES}
        kinds = tuple(self.kinds[i] for i in positions.tolist())
        return Asked(tables, kinds, whole=self.whole and len(kinds) == len(self.kinds))

    def columns(self, x: Tensor) -> Tensor:
        """Of figures for all parts those for the asked, (n, parts) to (n, asked)."""
        return x if self.whole else x.index_select(1, self.parts)

    def values(self, x: Tensor) -> Tensor:
        """Of figures for all parts that have values those for the asked that have, (n, valued parts) to (n, valued)."""
        return x if self.whole else x.index_select(1, self.slots)

    def valued(self, x: Tensor) -> Tensor:
        """Of figures for the asked those for the ones that have values, (n, asked) to (n, valued)."""
        return x if self.all_valued else x.index_select(1, self.place)


def _kind(part: Part) -> str:
    if isinstance(part, CategoricalPart):
        return "category"
    if isinstance(part, CyclicPart):
        return "circle"
    return "mass" if isinstance(part, NumericPart) and part.resolution else "density"
