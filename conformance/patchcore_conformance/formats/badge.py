"""A badge that shows the level: as SVG, and as JSON for the endpoint badge of shields.io."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from pathlib import Path

    from patchcore_conformance.report import Report

_LABEL = "patchcore conformance"
_COLORS = {  # by outcome: the name that shields.io knows, and the colour itself
    "conformant": ("brightgreen", "#2e8b3d"),
    "conformant with exceptions": ("yellow", "#a67c00"),
    "not conformant": ("red", "#c4392b"),
    "undecided": ("lightgrey", "#6b6b6b"),
}
_WIDTH, _PAD, _HEIGHT = 6.6, 8, 20  # of one character at 11 px, about; and of the badge


def write(report: Report, folder: Path) -> list[Path]:
    """Write badge.svg and badge.json."""
    svg, endpoint = folder / "badge.svg", folder / "badge.json"
    svg.write_text(as_svg(report), encoding="utf-8")
    endpoint.write_text(json.dumps(as_endpoint(report), indent=2) + "\n", encoding="utf-8")
    return [svg, endpoint]


def message(report: Report) -> str:
    """Return what the right half says: the level where it is held, else the outcome."""
    level = f"{report.kind} {report.claims.level}"
    if report.kind in {"sampler", "neighbors"} and report.claims.level == "exact":
        level += f" {report.claims.arith}"
    if report.outcome == "conformant":
        return level
    return f"{level}, with exceptions" if report.conformant else f"{report.kind} {report.outcome}"


def as_endpoint(report: Report) -> dict[str, object]:
    """Return what shields.io reads."""
    return {"schemaVersion": 1, "label": _LABEL, "message": message(report), "color": _COLORS[report.outcome][0]}


def as_svg(report: Report) -> str:
    """Return the badge as a picture that needs nothing from elsewhere."""
    said = message(report)
    left, right = (round(len(text) * _WIDTH) + 2 * _PAD for text in (_LABEL, said))
    color = _COLORS[report.outcome][1]
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img"
     aria-label="{escape(_LABEL)}: {escape(said)}">
  <title>{escape(_LABEL)}: {escape(said)}</title>
  <clipPath id="round"><rect width="{left + right}" height="{_HEIGHT}" rx="3"/></clipPath>
  <g clip-path="url(#round)">
    <rect width="{left}" height="{_HEIGHT}" fill="#444"/>
    <rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{color}"/>
  </g>
  <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
    <text x="{left / 2}" y="14" textLength="{left - 2 * _PAD}">{escape(_LABEL)}</text>
    <text x="{left + right / 2}" y="14" textLength="{right - 2 * _PAD}">{escape(said)}</text>
  </g>
</svg>
"""
