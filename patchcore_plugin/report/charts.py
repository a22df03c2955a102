"""Histogram and ROC curve as SVG: coloured by the page's style sheet, told apart without colour by pattern and word."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]

_BINS = 32
_PANEL = 158.0  # height of one panel, with its title
_HATCH = (
    '<defs><pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line class="stripe" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>'
)


class Series(NamedTuple):
    """The scores of one kind of part: what it is called, how the style sheet calls it, and the scores."""

    title: str
    style: str
    scores: Floats


class _Axis(NamedTuple):
    """A stretch of pixels that stands for a stretch of values."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start), 2)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Choose round numbers within low..high, roughly as many as asked for."""
    rough = (high - low) / about
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(factor * power - rough))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def histogram(series: Sequence[Series], threshold: float | None, threshold_title: str = "threshold") -> str:
    """Draw one panel of bars per series over a common score axis; each panel has its own height scale, named in it.

    Shapes: -> SVG text, 520 units wide, 158 per panel and 46 for the axis.
    """
    together = np.concatenate([one.scores for one in series])
    low, high = float(together.min()), float(together.max())
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold)
    margin = (high - low) * 0.02 or max(abs(low), 1.0) * 0.1
    axis = _Axis(low - margin, high + margin, 16.0, 504.0)
    height = _PANEL * len(series) + 46
    tops = [24.0 + _PANEL * number for number in range(len(series))]
    parts = [_HATCH, *(_bars(one, axis, top) for one, top in zip(series, tops, strict=True))]
    if threshold is not None:
        parts.append(_threshold_line(axis.at(threshold), height - 38.0, f"{threshold_title} {threshold:.4g}"))
    parts += [_panel_titles(one, axis, top) for one, top in zip(series, tops, strict=True)]
    parts.append(_score_axis(axis, height - 38.0))
    described = "; ".join(f"{len(one.scores)} {one.title}, {_spread(one.scores)}" for one in series)
    return _svg(520, height, f"Histogram of scores: {described}", "".join(parts))


def roc_chart(false_alarms: Floats, found: Floats, point: tuple[float, float] | None, auroc: float) -> str:
    """Draw the share found against the share of false alarms, with the operating point if there is one.

    Shapes: false_alarms, found (T,) rising in 0..1; point (false alarms, found) -> SVG text, 400 units wide.
    """
    across, up = _Axis(0, 1, 60.0, 378.0), _Axis(0, 1, 340.0, 16.0)
    x, y = _corners(false_alarms, found)
    line = " ".join(f"{across.at(a)},{up.at(b)}" for a, b in zip(x, y, strict=True))
    parts = [_percent_grid(across, up)]
    parts.append(f'<polygon class="roc-area" points="{line} {across.at(1)},{up.at(0)} {across.at(0)},{up.at(0)}"/>')
    parts.append(f'<line class="chance" x1="{across.at(0)}" y1="{up.at(0)}" x2="{across.at(1)}" y2="{up.at(1)}"/>')
    parts.append(_text(across.at(0.60), up.at(0.52), "guessing", "note"))
    parts.append(f'<polyline class="roc-line" points="{line}"/>')
    if point is not None:
        parts.append(_point(across.at(point[0]), up.at(point[1]), f"{point[1]:.0%} found, {point[0]:.0%} false alarms"))
    return _svg(400, 388, f"ROC curve, area {auroc:.3f}", "".join(parts))


def _bars(series: Series, axis: _Axis, top: float) -> str:
    counts, edges = _binned(series, axis)
    base, room = top + _PANEL - 16.0, _PANEL - 46.0
    parts = [f'<line class="axis" x1="{axis.start}" y1="{base}" x2="{axis.stop}" y2="{base}"/>']
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x, width, tall = axis.at(left), axis.at(right) - axis.at(left) - 1, max(room * count / counts.max(), 1.5)
            place = f'x="{x}" y="{base - tall:.2f}" width="{width:.2f}" height="{tall:.2f}"'
            told = f"<title>{left:.4g} to {right:.4g}: {count}</title>"
            parts.append(f'<rect class="bar {series.style}" {place}>{told}</rect>')
            parts.append(f'<rect class="hatch" {place}/>' if series.style == "bad" else "")
    return "".join(parts)


def _panel_titles(series: Series, axis: _Axis, top: float) -> str:
    tallest = int(_binned(series, axis)[0].max())
    title = _text(axis.start, top + 8, f"{len(series.scores)} {series.title}", f"panel {series.style}-text")
    return title + _text(axis.stop, top + 8, f"tallest bar: {tallest}", "note", "end")


def _binned(series: Series, axis: _Axis) -> tuple[npt.NDArray[np.intp], Floats]:
    return np.histogram(series.scores, bins=_BINS, range=(axis.low, axis.high))


def _score_axis(axis: _Axis, y: float) -> str:
    ticks = nice_ticks(axis.low, axis.high)
    labels = "".join(_text(axis.at(tick), y + 18, f"{tick:g}", "tick", "middle") for tick in ticks)
    marks = "".join(f'<line class="axis" x1="{axis.at(t)}" y1="{y}" x2="{axis.at(t)}" y2="{y + 5}"/>' for t in ticks)
    return marks + labels + _text(axis.stop, y + 35, "score: higher is more suspicious →", "note", "end")


def _threshold_line(x: float, bottom: float, title: str) -> str:
    anchor, shift = ("end", -5) if x > 260 else ("start", 5)
    line = f'<line class="threshold" x1="{x}" y1="4" x2="{x}" y2="{bottom}"/>'
    return line + _text(x + shift, 13, title, "threshold-text", anchor)


def _percent_grid(across: _Axis, up: _Axis) -> str:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = across.at(share), up.at(share)
        parts.append(f'<line class="grid" x1="{x}" y1="{up.start}" x2="{x}" y2="{up.stop}"/>')
        parts.append(f'<line class="grid" x1="{across.start}" y1="{y}" x2="{across.stop}" y2="{y}"/>')
        parts.append(_text(x, up.start + 17, f"{share:.0%}", "tick", "middle"))
        parts.append(_text(across.start - 7, y + 4, f"{share:.0%}", "tick", "end"))
    parts.append(_text(across.stop, up.start + 36, "good ones that raise a false alarm →", "note", "end"))
    parts.append(
        f'<g transform="translate(11 {up.stop}) rotate(-90)">{_text(0, 0, "defective ones found →", "note", "end")}</g>'
    )
    return "".join(parts)


def _point(x: float, y: float, title: str) -> str:
    # Below the curve there is room; a point far to the right needs its words further left, and lower.
    place = (x + 12, min(y + 26, 330.0)) if x < 165 else (175.0, min(y + 60, 330.0))
    return f'<circle class="point" cx="{x}" cy="{y}" r="6"/>' + _text(*place, title, "point-text")


def _corners(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Drop points on the straight stretches between two corners: thousands of parts need no thousands of points."""
    if len(x) < 3:
        return x, y
    turn = np.abs(np.diff(x)[:-1] * np.diff(y)[1:] - np.diff(x)[1:] * np.diff(y)[:-1]) > 1e-15
    keep = np.r_[True, turn, True]
    return x[keep], y[keep]


def _spread(scores: Floats) -> str:
    low, middle, high = np.percentile(scores, [5, 50, 95])
    return f"median {middle:.4g}, nine in ten between {low:.4g} and {high:.4g}"


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, title: str, body: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" class="chart">{body}</svg>'
