"""Figures of results as SVG, for the documentation."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unwonted.sources import atomic_write

__all__ = ["loss_curves", "optimizers"]

INK, QUIET = "#222222", "#888888"
COLOURS = ("#1f5fa8", "#c8553d", "#5b8c5a", "#8a6bb1", "#c79a2b")


def optimizers(found: Mapping[str, Mapping[str, tuple[float, float]]], path: Path) -> None:
    """Means with deviations, one panel a measure: `found[measure][optimiser]` is mean and standard deviation."""
    figure, axes = _canvas(len(found), 2.9)
    for axis, (measure, of) in zip(axes, found.items(), strict=True):
        for place, ((mean, deviation), colour) in enumerate(zip(of.values(), COLOURS, strict=False)):
            axis.errorbar(place, mean, deviation, fmt="o", color=colour, capsize=4, markersize=7)
        axis.set_xticks(range(len(of)), list(of))
        axis.set_xlim(-0.6, len(of) - 0.4)
        axis.set_title(measure, fontsize=10, color=INK)
        axis.tick_params(axis="x", rotation=35, labelsize=8)
        axis.grid(axis="y", color="#e6e6e6", linewidth=0.8)
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
