"""Drawings of the report: small, quiet SVGs in the page's own colours, the same bytes each time."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LinearLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)
from numpy.typing import NDArray

from unwonted.report.curves import Curve
from unwonted.report.quality import Rates
from unwonted.report.scores import Histogram, Training
from unwonted.report.ticks import Short, decades
from unwonted.words import percent

__all__ = ["expectation", "precision_recall", "roc", "scores", "training"]

# matplotlib draws in these stand-ins; the page's style sheet says what they look like in either scheme.
INK, SOFT, LINE, FILL, NORMAL, ACCENT = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_COLOURS = {INK: "ink", SOFT: "soft", LINE: "line", FILL: "fill", NORMAL: "normal", ACCENT: "accent"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 7.5,
    "text.color": SOFT,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.xmargin": 0.0,
    "axes.formatter.useoffset": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0.0,
    "lines.solid_capstyle": "round",
}
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


@contextmanager
def _drawing(name: str, size: tuple[float, float]) -> Iterator[tuple[Figure, Axes]]:
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02))
        yield figure, figure.subplots()


def _markup(figure: Figure, describe: str) -> Markup:
    """The figure as an inline `<svg>`: no ids but those referred to, no fonts, no metadata, no colours."""
    for artist in figure.findobj():
        artist.set_clip_on(False)  # a clip path needs an id and a url()
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(out.getvalue())
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("metadata", "}style")):
                parent.remove(child)
    referred = {node.attrib[_XLINK][1:] for node in root.iter() if _XLINK in node.attrib}
    for node in root.iter():
        node.tag = node.tag.removeprefix(_SVG)
        if node.get("id") not in referred:
            node.attrib.pop("id", None)
        if _XLINK in node.attrib:
            node.set("href", node.attrib.pop(_XLINK))
        if style := node.get("style"):
            style = re.sub(r"font-family: [^;]*;?\s*", "", style)
            node.set("style", re.sub(r"#0[0-9a-f]{5}", lambda m: f"var(--{_COLOURS.get(m[0], 'ink')})", style))
        for key in ("d", "x", "y", "transform"):
            if value := node.get(key):
                node.set(key, re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}", value).replace("\n", ""))
        node.text, node.tail = (node.text or "").strip() or None, None
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "class": "figure",
        "role": "img",
        "aria-label": describe,
    }
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def expectation(curve: Curve, name: str) -> Markup:
    """What was expected in one column (filled) and what was seen (the marked line)."""
    with _drawing(name, (2.9, 0.86)) as (figure, axes):
        axes.fill([curve.x[0], *curve.x, curve.x[-1]], [0.0, *curve.height, 0.0], facecolor=FILL, linewidth=0)
        axes.plot(curve.x, curve.height, color=NORMAL, linewidth=1.0)
        for interval in curve.intervals:
            axes.plot(interval, [0, 0], color=NORMAL, linewidth=2.6, solid_capstyle="butt")
        if curve.logarithmic:
            low, _ = curve.limits
            if low > 0:
                axes.set_xscale("log")
            else:
                axes.set_xscale("symlog", linthresh=curve.linear_below, linscale=0.6)
            axes.xaxis.set_major_locator(FixedLocator(decades(low, curve.limits[1], curve.linear_below)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif curve.around_the_clock:
            axes.xaxis.set_major_locator(LinearLocator(5))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(Short())
        axes.set_xlim(*curve.limits)
        axes.set_ylim(0, 1.12)
        axes.yaxis.set_visible(False)
        if curve.seen is not None:
            beyond = {-1: "<", 0: "o", 1: ">"}[curve.beyond]
            axes.plot([curve.seen, curve.seen], [0, 1.0], color=ACCENT, linewidth=1.3)
            axes.plot([curve.seen], [1.0], beyond, color=ACCENT, markersize=4.5)
        return _markup(figure, curve.describe)


def scores(histogram: Histogram, name: str = "scores") -> Markup:
    """Scores of held-out normal records beside those of the scored ones, on a logarithmic scale of shares."""
    edges, floor = histogram.edges, histogram.smallest / 2
    with _drawing(name, (5.6, 2.5)) as (figure, axes):
        alert = edges[:-1] >= histogram.threshold
        for mask, colour in ((~alert, NORMAL), (alert, ACCENT)):
            axes.bar(
                edges[:-1][mask],
                np.maximum(histogram.scored[mask] - floor, 0),
                np.diff(edges)[mask] * 0.86,
                bottom=floor,
                align="edge",
                color=colour,
                alpha=0.75,
                linewidth=0,
            )
        axes.stairs(np.maximum(histogram.calibration, floor), edges, color=INK, linewidth=1.0, baseline=floor)
        axes.set_yscale("log")
        top = 2 * max(histogram.scored.max(), histogram.calibration.max())
        axes.set_ylim(floor, top)
        axes.set_xlim(edges[0], edges[-1])
        ticks = [tick for tick in 10.0 ** np.arange(-8, 1) if floor <= tick <= top]
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(Short())
        axes.set_xlabel("score")
        axes.set_ylabel("share of records")
        if edges[0] <= histogram.threshold <= edges[-1]:
            axes.plot([histogram.threshold] * 2, [floor, top], color=ACCENT, linewidth=1.1, dashes=(3, 2))
            axes.annotate(
                "alert →",
                (histogram.threshold, top),
                (4, 0),
                color=ACCENT,
                va="top",
                textcoords="offset points",
            )
        if histogram.beyond:
            axes.annotate(
                f"{histogram.beyond:,} further out →",
                (edges[-1], histogram.scored[-1]),
                (0, 4),
                color=ACCENT if math.isfinite(histogram.threshold) else INK,
                ha="right",
                textcoords="offset points",
            )
        return _markup(figure, histogram.describe)


def training(history: Training, loss: str, name: str = "training") -> Markup:
    """Training and validation loss over the epochs, with the epoch whose weights were kept."""
    with _drawing(name, (5.6, 2.5)) as (figure, axes):
        low, high = history.limits
        for losses, colour, width in ((history.train, NORMAL, 1.2), (history.validation, ACCENT, 1.5)):
            epochs, within = _below(losses, high)
            axes.plot(epochs, within, color=colour, linewidth=width)
        if history.best is not None:
            best = history.validation[history.best - 1]
            axes.plot([history.best], [best], "o", color=ACCENT, markersize=4.5)
        axes.set_ylim(low, high)
        axes.set_xlim(1, max(2, len(history.train), len(history.validation)))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("epoch")
        axes.set_ylabel(loss)
        return _markup(figure, history.describe)


def _below(losses: Sequence[float], high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A polyline of the losses, cut where it leaves the picture (clipping would need ids and urls)."""
    epochs = np.arange(1, len(losses) + 1, dtype=np.float64)
    if len(losses) < 2:
        return epochs, np.asarray(losses, np.float64)
    fine = np.linspace(1, len(losses), 1 + 10 * (len(losses) - 1))
    values = np.interp(fine, epochs, losses)
    values[values > high] = np.nan
    return fine, values


def roc(rates: Rates, name: str = "roc") -> Markup:
    """True against false positive rate, with the alert threshold's point."""
    with _drawing(name, (4.2, 3.0)) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=NORMAL, linewidth=0.8, dashes=(3, 2))
        _rate_curve(axes, rates)
        axes.set_xlabel("share of normal records flagged")
        axes.set_ylabel("share of anomalies flagged")
        return _markup(figure, rates.describe)


def precision_recall(rates: Rates, name: str = "precision-recall") -> Markup:
    """Precision against recall, with the alert threshold's point and the level of chance."""
    with _drawing(name, (4.2, 3.0)) as (figure, axes):
        axes.plot([0, 1], [rates.chance] * 2, color=NORMAL, linewidth=0.8, dashes=(3, 2))
        _rate_curve(axes, rates)
        axes.set_xlabel("share of anomalies flagged (recall)")
        axes.set_ylabel("share of alerts that are right")
        return _markup(figure, rates.describe)


def _rate_curve(axes: Axes, rates: Rates) -> None:
    axes.fill([rates.x[0], *rates.x, rates.x[-1]], [0, *rates.y, 0], facecolor=FILL, alpha=0.45, linewidth=0)
    axes.plot(rates.x, rates.y, color=INK, linewidth=1.3)
    if rates.point is not None:
        axes.plot(*([value] for value in rates.point), "o", color=ACCENT, markersize=5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
