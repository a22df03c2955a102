"""The summary as papers print it: categories in rows, mean ± deviation over the seeds, an average below."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from patchcore_plugin.benchmark.protocol import images_in_words
from patchcore_plugin.benchmark.published import comparable
from patchcore_plugin.benchmark.summary import Spread, over_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patchcore_plugin.benchmark.summary import Summary

AVERAGE = "average"


@dataclass(frozen=True)
class Table:
    """Words in rows under a header, with a title and remarks; ``ours`` says which rows were measured here."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    foreign: frozenset[int] = field(default=frozenset())

    def to_markdown(self) -> str:
        """Write it with aligned columns; numbers stand right."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        rule = "|".join(f"{'-' * (width + 1)}{':' if i else '-'}" for i, width in enumerate(widths))
        body = [_line(line, widths) for line in lines]
        text = "\n".join([f"### {self.title}", "", body[0], f"|{rule}|", *body[1:]])
        return text + "".join(f"\n\n{note}" for note in self.notes) + "\n"


def all_tables(summary: Summary, layout: str, backbones: Mapping[str, str]) -> list[Table]:
    """Give every table there is something for, the most important first.

    Args: backbones: what looks in each configuration, by its name.
    """
    tables = [overview(summary, layout, backbones, summary.shots[0])]
    if len(summary.shots) > 1:
        tables.append(few_images(summary, layout, backbones))
    tables += [by_category(summary, name, summary.shots[0]) for name in summary.configurations]
    tables.append(by_defect(summary, summary.shots[0]))
    return [*tables, costs(summary)]


def overview(summary: Summary, layout: str, backbones: Mapping[str, str], shots: int | None) -> Table:
    """One row per configuration, averaged over the categories, and below them what others published."""
    found = comparable(layout, categories=len(summary.categories), seeds=len(summary.seeds), shots=shots)
    ours = [
        (name, backbones[name], *(summary.figure(figure, name, shots).in_percent for figure in summary.figures))
        for name in summary.configurations
    ]
    blanks = ("",) * (len(summary.figures) - 1)
    theirs = [
        (f"{one.method} [{i}]", one.backbone, f"{100 * one.image_auroc:.2f}", *blanks)
        for i, one in enumerate(found.figures, 1)
    ]
    sources = [f"[{i}] published, not measured here: {one.source}" for i, one in enumerate(found.figures, 1)]
    return Table(
        f"{_categories(summary)}, {images_in_words(shots)} learned",
        ("configuration", "backbone", *summary.figures.values()),
        (*ours, *theirs),
        (_how(summary), *sources, *([found.left_out] if found.left_out else [])),
        frozenset(range(len(ours), len(ours) + len(theirs))),
    )


def few_images(summary: Summary, layout: str, backbones: Mapping[str, str]) -> Table:
    """Image AUROC by the number of images learned from; a column per configuration, one more for what was published."""
    rows: list[tuple[str, ...]] = []
    sources: dict[str, None] = {}  # an ordered set
    for shots in summary.shots:
        found = comparable(layout, categories=len(summary.categories), seeds=len(summary.seeds), shots=shots).figures
        best = max(found, key=lambda one: one.image_auroc, default=None) if shots is not None else None
        ours = (summary.figure("image_auroc", name, shots).in_percent for name in summary.configurations)
        rows.append((images_in_words(shots), *ours, f"{100 * best.image_auroc:.2f}" if best else ""))
        if best:
            sources[f"published: {best.method}, {best.backbone}: {best.source}"] = None
    header = ("learned from", *(f"{name} ({backbones[name]})" for name in summary.configurations), "published")
    if not sources:
        header, rows = header[:-1], [row[:-1] for row in rows]
    return Table(
        f"image AUROC by images learned, {_categories(summary)}", header, tuple(rows), (_how(summary), *sources)
    )


def by_category(summary: Summary, configuration: str, shots: int | None) -> Table:
    """One row per category, with the range in which image AUROC mostly lies when other images are drawn."""
    rows = [(category, *_figures(summary, configuration, shots, category)) for category in summary.categories]
    if len(rows) > 1:
        rows.append((AVERAGE, *_figures(summary, configuration, shots, None)))
    header = ("category", *summary.figures.values(), "95 % over images")
    note = (
        "95 % over images: image AUROC when test images are drawn again (bootstrap), its ends averaged over the seeds."
    )
    return Table(f"{configuration}, {images_in_words(shots)} learned", header, tuple(rows), (note,))


def by_defect(summary: Summary, shots: int | None) -> Table:
    """Image AUROC of each kind of defect against all good images; a column per configuration."""
    rows = []
    for category in summary.categories:
        runs = summary.of(summary.configurations[0], shots, category)
        for defect in sorted({name for one in runs for name in one.by_defect}):
            ours = (_of_defect(summary, name, shots, category, defect) for name in summary.configurations)
            rows.append((category, defect, *ours))
    return Table("image AUROC by defect", ("category", "defect", *summary.configurations), tuple(rows))


def costs(summary: Summary) -> Table:
    """What a run took, category by category."""
    rows = []
    for category in summary.categories:
        for name in summary.configurations:
            for shots in summary.shots:
                runs = [one.cost for one in summary.of(name, shots, category)]
                rows.append(
                    (category, name, images_in_words(shots), _mean([one.learned_images for one in runs], ".0f"),
                     _mean([one.bank_rows for one in runs], ".0f"), _mean([one.fit_seconds for one in runs], ".1f"),
                     _mean([one.score_ms for one in runs], ".1f"),
                     _mean([one.peak_bytes and one.peak_bytes / 2**20 for one in runs], ".0f"))
                )  # fmt: skip
    header = (
        "category",
        "configuration",
        "learned from",
        "images",
        "patches remembered",
        "fit s",
        "score ms an image",
        "peak MiB",
    )
    return Table("time and memory", header, tuple(rows), (_COST_NOTE,))


_COST_NOTE = (
    "Time: wall time without compiling, of the runs whose features were all computed anew; empty where they came from "
    "an earlier run. Memory: the whole process, looked at 50 times a second during fit and score."
)


def _figures(summary: Summary, configuration: str, shots: int | None, category: str | None) -> tuple[str, ...]:
    shares = tuple(summary.figure(name, configuration, shots, category).in_percent for name in summary.figures)
    if category is None:
        return (*shares, "")
    runs = summary.of(configuration, shots, category)
    low, high = (Spread.of([one.interval[end] for one in runs]).mean for end in (0, 1))
    return (*shares, f"{100 * low:.2f} to {100 * high:.2f}")


def _of_defect(summary: Summary, configuration: str, shots: int | None, category: str, defect: str) -> str:
    runs = [one for one in summary.of(configuration, shots, category) if defect in one.by_defect]
    return over_seeds(runs, lambda one: one.by_defect[defect]).in_percent if runs else ""


def _how(summary: Summary) -> str:
    seeds = ", ".join(map(str, summary.seeds))
    if len(summary.seeds) == 1:
        return f"All figures in percent, of one run (seed {seeds})."
    return f"All figures in percent: mean ± standard deviation over {len(summary.seeds)} seeds ({seeds})."


def _categories(summary: Summary) -> str:
    names = summary.categories
    return names[0] if len(names) == 1 else f"average of {len(names)} categories"


def _mean(values: list[float | None] | list[int] | list[int | None], form: str) -> str:
    known = [float(value) for value in values if value is not None]
    return format(sum(known) / len(known), form) if known else ""


def _line(words: tuple[str, ...], widths: list[int]) -> str:
    return (
        "| "
        + " | ".join(w.rjust(n) if i else w.ljust(n) for i, (w, n) in enumerate(zip(words, widths, strict=True)))
        + " |"
    )
