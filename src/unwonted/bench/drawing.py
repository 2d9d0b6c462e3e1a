"""Figures of results as SVG, for the documentation."""

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from unwonted.sources import atomic_write

__all__ = ["loss_curves", "mean_ranks", "optimizers"]

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


def mean_ranks(ranks: Mapping[str, float], apart: float, ours: Collection[str], path: Path) -> None:
    """Mean ranks on one axis, the best on the left; a bar joins methods that are less than `apart` apart.

    Args:
        ranks: Mean rank by method.
        apart: The critical difference of two mean ranks.
        ours: The methods to set in bold.
        path: Of the SVG.
    """
    from matplotlib.figure import Figure

    names = sorted(ranks, key=lambda name: ranks[name])
    values = [ranks[name] for name in names]
    bars = _alike(values, apart)
    left = (len(names) + 1) // 2  # the better half is written on the left, the other on the right
    deepest = 1.2 + 0.35 * len(bars) + 0.62 * left
    figure = Figure(figsize=(8.7, 0.5 + 0.36 * deepest), layout="constrained")
    axis = figure.add_subplot()
    low, high = 1.0, float(len(names))
    side = 0.08 * (high - low)
    axis.set_xlim(low - 5 * side, high + 5 * side)
    axis.set_ylim(deepest, -1.6)
    axis.axis("off")
    axis.plot([low, high], [0, 0], color=INK, linewidth=1)
    for tick in range(int(low), int(high) + 1):
        axis.plot([tick, tick], [0, -0.2], color=INK, linewidth=1)
        axis.text(tick, -0.3, str(tick), ha="center", va="bottom", fontsize=8, color=QUIET)
    axis.plot([low, low + apart], [-1.2, -1.2], color=INK, linewidth=1.5)
    axis.text(low + apart + 0.15 * side, -1.2, f"critical difference {apart:.2f}", va="center", fontsize=8, color=QUIET)
    for depth, (first, last) in enumerate(bars):
        ends = [values[first] - 0.1 * side, values[last] + 0.1 * side]
        axis.plot(ends, [0.4 + 0.35 * depth] * 2, color=INK, linewidth=3)
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        better = place < left
        level = 1.2 + 0.35 * len(bars) + 0.62 * (place if better else len(names) - 1 - place)
        end, align = (low - side, "right") if better else (high + side, "left")
        colour, weight = (COLOURS[0], "bold") if name in ours else (INK, "normal")
        axis.plot([value, value, end], [0, level, level], color=colour, linewidth=0.8)
        said = f"{name}  {value:.2f}" if better else f"{value:.2f}  {name}"
        off = -0.15 if better else 0.15
        axis.text(end + off * side, level, said, ha=align, va="center", fontsize=9, color=colour, weight=weight)
    _save(figure, path)


def _alike(values: Sequence[float], apart: float) -> list[tuple[int, int]]:
    """First and last of each longest run of ranks, from the best on, that are less than `apart` apart.

    Example:
        >>> _alike([1.0, 2.0, 2.5, 6.0], 2.0)
        [(0, 2)]
    """
    found: list[tuple[int, int]] = []
    for first, value in enumerate(values):
        last = max(i for i, other in enumerate(values) if other < value + apart)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


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
