"""Reasons where the score is a sum over columns: each column's share beside the distribution expected of it."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch

from unwonted.explain.expected import expected
from unwonted.explain.likes import likes
from unwonted.explain.reasons import Reason
from unwonted.explain.wording import seen
from unwonted.models.base import CHUNK, ColumnModel, Floats

if TYPE_CHECKING:
    from unwonted.encode import Encoded, Encoder

__all__ = ["reasons"]


def reasons(
    model: ColumnModel,
    encoder: "Encoder",
    records: pa.Table,
    encoded: "Encoded",
    evidence: Floats,
    top: int,
    *,
    with_likes: bool,
) -> list[tuple[Reason, ...]]:
    """For each record its `top` columns by contribution, of those that are scored.

    Where they count mostly for their distance from kept records, and if `with_likes`, with what these hold.
    """
    contributions, counted, views = model.pool(evidence), model.counted(evidence), model.views(evidence)
    far = with_likes & (contributions > 0) & (model.by_distance(evidence) > contributions / 2)
    neighbours = _neighbours(model, encoded) if far.any() else []
    telling, scored = _telling_parts(model, encoder, encoded), np.array(model.scored_columns())
    found = []
    for row in range(records.num_rows):
        told = []
        for i in scored[np.argsort(-contributions[row, scored], kind="stable")][:top]:
            name, position = encoder.columns[i], telling[row][i]
            part = encoder.parts[position]
            ordinary = expected(model, part, encoded[row : row + 1], position, int(views[row]))
            text, value = seen(records.column(name)[row], part, ordinary.apart)
            share, surprise = float(contributions[row, i]), float(counted[row, i])
            near = likes(part, model.held(neighbours[row], position), ordinary.apart) if far[row, i] else ()
            phrase = f"{part.label} is {text}; expected {ordinary.text}"
            phrase += f"; {', '.join(near)} in the nearest records" if near else ""
            told.append(Reason(name, text, value, share, surprise, ordinary, phrase, near))
        found.append(tuple(told))
    return found


@torch.no_grad()
def _neighbours(model: ColumnModel, encoded: "Encoded") -> list[torch.Tensor]:
    """Of each record the positions of the kept records nearest to it."""
    return [found for chunk in encoded.chunks(CHUNK) for found in model.neighbours(chunk)]


@torch.no_grad()
def _telling_parts(model: ColumnModel, encoder: "Encoder", encoded: "Encoded") -> list[list[int]]:
    """For each record the part of each column (a date's hour or weekday) that is the most surprising of it."""
    owned = [[i for i, owner in enumerate(encoder.column_of_part) if owner == c] for c in range(len(encoder.columns))]
    if all(len(parts) == 1 for parts in owned):
        return [[parts[0] for parts in owned]] * len(encoded)
    nats = torch.cat([model.part_surprise(chunk) for chunk in encoded.chunks(CHUNK)]).numpy()
    return [[parts[int(np.argmax(row[parts]))] for parts in owned] for row in nats]
