"""Curves as SVG: one line or several over one axis, coloured by the page's style sheet and told apart by words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from patchcore_plugin.report.charts import nice_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEFT, _RIGHT, _TOP, _BOTTOM = 60.0, 378.0, 16.0, 340.0  # of the drawing, in a picture of 400 x 388


class Line(NamedTuple):
    """A curve: what it is called, and its points."""

    title: str
    x: Sequence[float]
    y: Sequence[float]


class _Place(NamedTuple):
    """Which values the drawing spans."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.low_x) / (self.high_x - self.low_x)
        up = (y - self.low_y) / (self.high_y - self.low_y)
        return round(_LEFT + across * (_RIGHT - _LEFT), 2), round(_BOTTOM - up * (_BOTTOM - _TOP), 2)


def pro_chart(line: Line, limit: float, area: float) -> str:
    """Draw overlap over false alarms of pixels, up to the limit that AUPRO is computed to."""
    x, y = np.asarray(line.x), np.asarray(line.y)
    inside = x < limit
    points = [*zip(x[inside], y[inside], strict=True), (limit, float(np.interp(limit, x, y)))]
    place = _Place(0.0, limit, 0.0, 1.0)
    drawn = " ".join(f"{a},{b}" for a, b in (place.at(*point) for point in points))
    ends = " ".join(f"{a},{b}" for a, b in (place.at(limit, 0.0), place.at(0.0, 0.0)))
    parts = [
        _grid(
            place,
            [i * limit / 6 for i in range(7)],
            [0, 0.25, 0.5, 0.75, 1],
            "good pixels that are painted →",
            "share of each defect painted →",
        ),
        f'<polygon class="roc-area" points="{drawn} {ends}"/><polyline class="roc-line" points="{drawn}"/>',
    ]
    return _svg(f"PRO curve up to {limit:g} false alarms, area {area:.3f}", "".join(parts))


def shots_chart(lines: Sequence[Line], all_images: int) -> str:
    """Draw image AUROC over the number of images learned from, on a logarithmic axis, with a legend.

    Args: all_images: how many "all images" are, which is the last point of each line.
    """
    lowest = min(min(line.y) for line in lines)
    place = _Place(-0.1, float(np.log10(all_images)) + 0.1, max(0.0, np.floor(20 * lowest - 0.2) / 20), 1.0)
    ticks = sorted({x for line in lines for x in line.x})
    steps = nice_ticks(place.low_y, 1.0)
    parts = [
        _grid(
            place,
            [float(np.log10(x)) for x in ticks],
            steps,
            "good images learned from →",
            "image AUROC →",
            [f"{x:g}" for x in ticks],
        )
    ]
    for number, line in enumerate(lines):
        points = [place.at(float(np.log10(x)), y) for x, y in zip(line.x, line.y, strict=True)]
        drawn = " ".join(f"{a},{b}" for a, b in points)
        parts.append(f'<polyline class="roc-line line-{number % 4}" points="{drawn}"/>')
        parts += [f'<circle class="dot line-{number % 4}" cx="{a}" cy="{b}" r="3.5"/>' for a, b in points]
        # Curves rise to the right, so the lower right corner is free for their names.
        y = _BOTTOM - 14 - 17 * (len(lines) - 1 - number)
        parts.append(
            f'<line class="roc-line line-{number % 4}" x1="{_RIGHT - 34}" y1="{y}" x2="{_RIGHT - 8}" y2="{y}"/>'
        )
        parts.append(_text(_RIGHT - 42, y + 4, line.title, "point-text", "end"))
    return _svg("image AUROC over the number of images learned from", "".join(parts))


def _grid(
    place: _Place, xs: Sequence[float], ys: Sequence[float], across: str, up: str, words: Sequence[str] = ()
) -> str:
    parts = []
    for i, x in enumerate(xs):
        a, _ = place.at(x, place.low_y)
        parts.append(f'<line class="grid" x1="{a}" y1="{_TOP}" x2="{a}" y2="{_BOTTOM}"/>')
        parts.append(_text(a, _BOTTOM + 17, words[i] if words else f"{100 * x:g}%", "tick", "middle"))
    for y in ys:
        _, b = place.at(place.low_x, y)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{b}" x2="{_RIGHT}" y2="{b}"/>')
        parts.append(_text(_LEFT - 7, b + 4, f"{100 * y:g}%", "tick", "end"))
    parts.append(_text(_RIGHT, _BOTTOM + 36, across, "note", "end"))
    return "".join(parts) + f'<g transform="translate(11 {_TOP}) rotate(-90)">{_text(0, 0, up, "note", "end")}</g>'


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(title: str, body: str) -> str:
    return f'<svg viewBox="0 0 400 388" role="img" aria-label="{escape(title)}" class="chart">{body}</svg>'
