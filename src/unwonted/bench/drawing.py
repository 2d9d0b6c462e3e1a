"""Figures of results as SVG, for the documentation."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unwonted.sources import atomic_write

__all__ = ["loss_curves", "optimizers"]

INK, QUIET = "#222222", "#888888"
COLOURS = ("#1f5fa8", "#c8553d", "#5b8c5a", "#8a6bb1", "#c79a2b")


def optimizers(bars: Mapping[str, Mapping[str, tuple[float, float]]], path: Path) -> None:
    """Bars with deviations, one panel a measure: `bars[measure][optimiser]` is mean and standard deviation."""
    figure, axes = _canvas(len(bars), 2.9)
    for axis, (measure, found) in zip(axes, bars.items(), strict=True):
        means, spread = zip(*found.values(), strict=True)
        axis.bar(list(found), means, yerr=spread, color=COLOURS, capsize=3, ecolor=INK, width=0.65)
        axis.set_title(measure, fontsize=10, color=INK)
        low, high = min(m - s for m, s in found.values()), max(m + s for m, s in found.values())
        if low > 0.5 * high:  # what matters is in the last per cent
            room = max(high - low, 0.01 * high)
            axis.set_ylim(low - room, high + 0.3 * room)
        axis.tick_params(axis="x", rotation=35, labelsize=8)
    _save(figure, path)


def loss_curves(curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]], path: Path) -> None:
    """Training and validation loss by epoch, one panel a model, a line a run: `curves[model]` are histories."""
    figure, axes = _canvas(len(curves), 2.9)
    for axis, (model, runs) in zip(axes, curves.items(), strict=True):
        for part, colour in (("train", COLOURS[0]), ("validation", COLOURS[1])):
            for run in runs:
                epochs = range(1, len(run[part]) + 1)
                label = part if run is runs[0] else None
                axis.plot(epochs, run[part], color=colour, linewidth=1.1, alpha=0.8, label=label)
        axis.set_title(model, fontsize=10, color=INK)
        axis.set_xlabel("epoch", fontsize=9)
        axis.set_yscale("log")
        axis.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("loss, nats", fontsize=9)
    _save(figure, path)


def _canvas(panels: int, height: float) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.9 * panels, height), layout="constrained")
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8, colors=QUIET)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    import matplotlib as mpl

    drawn = io.BytesIO()
    # No date and no random names: the same results give the same bytes.
    with mpl.rc_context({"svg.hashsalt": "unwonted", "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, drawn.getvalue())
