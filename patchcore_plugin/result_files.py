"""Scores as files: a table for spreadsheets, lines for programs, heat maps for eyes."""

from __future__ import annotations

import csv
import json
import os
from itertools import count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.atomic_file import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.memory_bank import MemoryBank
    from patchcore_plugin.scores import Scores


def score_rows(scores: Scores, bank: MemoryBank) -> list[dict[str, Any]]:
    """Describe each image in one flat row: its score, where it is worst, and which good part that place resembles."""
    rows = []
    p_values, labels = scores.p_value, scores.label
    for i, name in enumerate(scores.names):
        y, x = np.unravel_index(int(np.argmax(scores.patch[i])), scores.patch[i].shape)
        worst_y, worst_x = scores.pixel_of(i, int(y), int(x))
        good, good_y, good_x = bank.origin(int(scores.nearest[i, y, x]))
        rows.append(
            {
                "image": name,
                "score": float(scores.image[i]),
                "p_value": None if p_values is None else float(p_values[i]),
                "verdict": None if labels is None else ("defective" if labels[i] else "good"),
                "worst_y": worst_y,
                "worst_x": worst_x,
                "nearest_good_image": good,
                "nearest_good_patch_y": good_y,
                "nearest_good_patch_x": good_x,
            }
        )
    return rows


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV with a header line; an unknown value is an empty field."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as one JSON object a line; an unknown value is null."""
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def file_stems(names: Sequence[str]) -> list[str]:
    """Give each image a file name of its own: folders below the common one become part of it, repetitions a number."""
    folders = {str(PurePath(name).parent) for name in names}
    common = os.path.commonpath(folders) if len({PurePath(name).is_absolute() for name in names}) == 1 else ""
    stems: dict[str, None] = {}  # an ordered set
    for name in names:
        stem = "__".join(PurePath(os.path.relpath(name, common or None)).with_suffix("").parts).replace("..", "up")
        numbered = (f"{stem}-{number}" for number in count(2))
        stems[stem if stem not in stems else next(other for other in numbered if other not in stems)] = None
    return list(stems)
