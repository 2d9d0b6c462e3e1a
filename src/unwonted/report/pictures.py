"""Sequences and images as pictures of the report: what was seen, the nearest normal record, and where it is strange."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.image import imsave
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unwonted.explain import Picture

__all__ = ["picture"]

Floats = NDArray[np.float64]

TALLEST, WIDEST = 168, 420  # of a picture on the page, in its pixels


def picture(shown: "Picture") -> Markup:
    """The record, the nearest normal one and the contributions side by side, as inline PNGs.

    Sequences have time from left to right and a row for each channel, from its least value, black, to its largest,
    white; images have one such scale. Contributions are red where they add to the score and blue where they take from
    it.
    """
    grids = [("seen", _flat(shown.seen))]
    if shown.nearest is not None:
        grids.append(("nearest normal", _flat(shown.nearest)))
    low, high = _ends([grid for _, grid in grids], axis=1 if shown.seen.ndim == 2 else None)
    gray = matplotlib.colormaps["gray"]
    panels = [_panel(name, gray(_within(grid, low, high)), grid.shape) for name, grid in grids]
    heat = _flat(shown.heat, total=True)
    most = float(np.abs(heat).max()) or 1.0
    panels.append(_panel("adds to the score", matplotlib.colormaps["coolwarm"](_within(heat, -most, most)), heat.shape))
    return Markup('<div class="pictures">{}</div>').format(Markup("").join(panels))


def _flat(grid: Floats, total: bool = False) -> Floats:
    """A sequence with a row a channel; an image's channels as their mean, or their sum."""
    if grid.ndim == 2:
        return grid.T
    flat: Floats = grid.sum(2) if total else grid.mean(2)
    return flat


def _ends(grids: Sequence[Floats], axis: int | None) -> tuple[Floats, Floats]:
    """The least and the largest of all values, along an axis or, with None, in the whole."""
    together = np.concatenate(grids, axis=1)
    return np.nanmin(together, axis, keepdims=True), np.nanmax(together, axis, keepdims=True)


def _within(grid: Floats, low: Floats | float, high: Floats | float) -> Floats:
    with np.errstate(invalid="ignore"):
        scaled: Floats = np.clip((grid - low) / np.where(np.greater(high, low), np.subtract(high, low), 1.0), 0.0, 1.0)
    return np.ma.masked_invalid(scaled)


def _panel(name: str, colours: Floats, shape: tuple[int, ...]) -> Markup:
    out = io.BytesIO()
    imsave(out, colours, format="png", metadata={"Software": "unwonted"})
    data = base64.b64encode(out.getvalue()).decode()
    height, width = shape
    scale = min(TALLEST / height, WIDEST / width)
    size = f'width="{max(1, round(width * scale))}" height="{max(1, round(height * scale))}"'
    return Markup(
        f'<figure><img src="data:image/png;base64,{data}" {size} alt="{escape(name)}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
    )
