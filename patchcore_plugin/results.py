"""The results of scoring, put where people look: a folder of tables and heat maps, and a page that shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.bank_file import versions
from patchcore_plugin.datasets.split import GOOD
from patchcore_plugin.errors import MissingLibraryError
from patchcore_plugin.images import read_image
from patchcore_plugin.progress import Progress, silent
from patchcore_plugin.report.heat_map import overlay, save_png, thumbnail
from patchcore_plugin.result_files import file_stems, score_rows, write_csv, write_jsonl

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from patchcore_plugin.detector import PatchCore
    from patchcore_plugin.report.report_data import Entry
    from patchcore_plugin.scores import Scores


def require_page() -> None:
    """Refuse a page before the work is done that it is to show, where the library that fills it is missing."""
    if find_spec("jinja2") is None:
        raise MissingLibraryError("index.html needs Jinja2. Install it: pip install 'patchcore-plugin[eval]'")


def colour_scale(scores: Scores) -> tuple[float, float]:
    """Choose what the darkest and the brightest colour of all heat maps mean.

    A calibrated detector has one scale for ever, so that pictures of different days can be compared: painting begins
    below the threshold, where good parts have their most unusual patches, and ends well above it. Without a threshold
    the scale spans the scores at hand.

    Units: patch scores, Euclidean distances in the unit of the embeddings.
    """
    if scores.calibration is not None and scores.calibration.threshold > 0:
        return 0.75 * scores.calibration.threshold, 1.75 * scores.calibration.threshold
    low, high = np.quantile(scores.patch, [0.5, 0.999])
    return float(low), float(max(high, low + 1e-6))


@dataclass(frozen=True)
class Results:
    """Scores of image files, with what is known about them: each image's kind, and figures of merit."""

    detector: PatchCore
    scores: Scores
    kinds: tuple[str, ...] | None = None
    figures: dict[str, float] = field(default_factory=dict)

    def write(self, folder: Path, progress: Progress = silent) -> None:
        """Write ``scores.csv``, ``scores.jsonl`` and ``heat_maps/<image>.png``; each file whole or not at all."""
        rows = score_rows(self.scores, self.detector.bank)
        if self.kinds is not None:
            rows = [{**row, "kind": kind} for row, kind in zip(rows, self.kinds, strict=True)]
        stems = file_stems(self.scores.names)
        rows = [{**row, "heat_map": f"heat_maps/{stem}.png"} for row, stem in zip(rows, stems, strict=True)]
        write_csv(folder / "scores.csv", rows)
        write_jsonl(folder / "scores.jsonl", rows)
        for i, stem in enumerate(stems):
            save_png(folder / "heat_maps" / f"{stem}.png", self._painted(i))
            progress("drawing heat maps", i + 1, len(stems))

    def write_page(self, folder: Path, *, title: str, intro: str, command: str, noun: tuple[str, str]) -> None:
        """Write ``index.html``: everything at a glance, in one file that needs nothing else.

        Raises: MissingLibraryError when the extra ``eval`` is not installed.
        """
        from patchcore_plugin.report.page import write_page
        from patchcore_plugin.report.report_data import ReportData

        calibration, bank = self.scores.calibration, self.detector.bank
        data = ReportData(
            title=title,
            intro=intro,
            entries=self._entries(),
            scale=colour_scale(self.scores),
            threshold=None if calibration is None else calibration.threshold,
            settings=self.detector.settings.to_dict(),
            metrics=self.figures,
            facts={
                "images learned": len(bank.image_names),
                "patches remembered": len(bank),
                "threshold": "none: no good images were held out" if calibration is None else calibration.in_words(),
                "backbone weights, SHA-256": bank.weights_sha256,
                **versions(),
            },
            command=command,
            noun=noun,
        )
        write_page(folder / "index.html", data)

    def in_words(self) -> str:
        """Say in one line what came out."""
        label = self.scores.label
        if label is None:
            return f"{len(self.scores)} images scored; no verdicts, since no good images were held out when fitting."
        return f"{len(self.scores)} images scored: {int(label.sum())} defective, {int((~label).sum())} good."

    def _entries(self) -> list[Entry]:
        """Describe each image to the page, which asks for the pictures of those it shows."""
        from patchcore_plugin.report.report_data import Entry

        p_values, stems = self.scores.p_value, file_stems(self.scores.names)
        return [
            Entry(
                name=name,
                score=float(self.scores.image[i]),
                label=None if self.kinds is None else self.kinds[i] != GOOD,
                p_value=None if p_values is None else float(p_values[i]),
                thumbnail=partial(self._small, i),
                overlay=partial(self._painted, i),
                link=f"heat_maps/{stems[i]}.png",
            )
            for i, name in enumerate(self.scores.names)
        ]

    def _painted(self, i: int) -> npt.NDArray[np.uint8]:
        low, high = colour_scale(self.scores)
        return overlay(self._image(i), self.scores.map(i), low=low, high=high, white_level=self._white_level)

    def _small(self, i: int) -> npt.NDArray[np.uint8]:
        return thumbnail(self._image(i), white_level=self._white_level)

    def _image(self, i: int) -> npt.NDArray[Any]:
        return read_image(self.scores.names[i])

    @property
    def _white_level(self) -> float | None:
        return self.detector.settings.images.white_level
