"""Categories: names, each an outcome."""

import math

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unwonted.parts.outcomes import NOVEL, Codes, Floats, good_turing

__all__ = ["CategoricalPart"]

MAX_CATEGORIES = 256


class CategoricalPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="categorical"):
    """Categories, each with an outcome of its own; those too rare for one share an outcome evenly.

    Attributes:
        column: The column it was read from.
        categories: The outcomes 0 … C−1.
        rare: Categories that share outcome C, if any.
        missing: Whether training had gaps; they are the last outcome.
        novelty: Probability that training leaves for what it never saw (Good–Turing).
        unseen: How many categories share it (Chao's estimate): one of them is less likely than any that was seen.
        unit: "day of week" where the categories were read off a date.
    """

    column: str
    categories: tuple[str, ...]
    rare: tuple[str, ...]
    missing: bool
    novelty: float
    unseen: float = 1.0
    unit: str = ""

    @property
    def outcomes(self) -> int:
        return len(self.categories) + bool(self.rare) + self.missing

    @property
    def gap(self) -> int:
        """The outcome of a gap; NOVEL where training had none."""
        return self.outcomes - 1 if self.missing else NOVEL

    @property
    def label(self) -> str:
        return f"{self.column} ({self.unit})" if self.unit else self.column

    @classmethod
    def fit(cls, column: str, texts: pa.ChunkedArray, unit: str = "") -> "CategoricalPart":
        counts = pc.value_counts(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts)
        names = counts.field("values").to_pylist()
        sizes = counts.field("counts").to_pylist()
        known = sorted(
            ((n, s) for n, s in zip(names, sizes, strict=True) if n is not None),
            key=lambda pair: (-pair[1], pair[0]),
        )
        room = MAX_CATEGORIES if len(known) > MAX_CATEGORIES else len(known)
        seen_once, seen_twice = (sum(size == times for _, size in known) for times in (1, 2))
        return cls(
            column=column,
            categories=tuple(sorted(name for name, _ in known[:room])),
            rare=tuple(sorted(name for name, _ in known[room:])),
            missing=None in names,
            novelty=good_turing(seen_once, len(texts)),
            unseen=max(1.0 + seen_once, seen_once * (seen_once - 1) / (2 * (seen_twice + 1))),
            unit=unit,
        )

    def codes(self, texts: pa.ChunkedArray) -> Codes:
        """The outcome of each text, shape (n,); NOVEL where there is none."""
        names = pa.array((*self.categories, *self.rare), type=pa.string())
        found = pc.index_in(texts.cast(pa.string()), value_set=names)
        codes = np.asarray(found.fill_null(NOVEL).to_numpy(), dtype=np.int64)
        codes = np.minimum(codes, len(self.categories))
        if self.missing:
            codes[np.asarray(texts.is_null().to_numpy())] = self.outcomes - 1
        return codes

    def name(self, outcome: int) -> str:
        """What outcome stands for, in words."""
        if outcome < len(self.categories):
            return self.categories[outcome]
        return "another rare one" if self.rare and outcome == len(self.categories) else "missing"

    def shared(self) -> Floats:
        """Log of the share that one record's category has in its outcome's probability, shape (outcomes,)."""
        shares = np.zeros(self.outcomes)
        if self.rare:
            shares[len(self.categories)] = -math.log(len(self.rare))
        return shares
