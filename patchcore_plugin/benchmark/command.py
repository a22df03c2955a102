"""The command ``patchcore benchmark``: its options, its progress, its files."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003  typer reads the annotations when the command is built
from typing import TYPE_CHECKING, Annotated

import typer

from patchcore_plugin.console import Bars, explained, notice, out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchcore_plugin.benchmark.protocol import Protocol
    from patchcore_plugin.benchmark.series import Step
    from patchcore_plugin.benchmark.summary import Summary
    from patchcore_plugin.benchmark.tables import Table


def benchmark(
    layout: Annotated[
        str, typer.Argument(metavar="LAYOUT", help="How the data set lies on disk: mvtec, visa, mtd, folder ...")
    ],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The data set's folder. Nothing is ever downloaded.")],
    folder: Annotated[
        Path, typer.Option("--out", help="Where runs are kept, and results.md, .csv, .json and index.html are written.")
    ],
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Only this category; repeatable. Without it: all.")
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Of the split and of the sampler.")] = "0,1,2,3,4",
    shots: Annotated[
        str, typer.Option("--shots", help="How many good images are learned from, e.g. all,50,16,10,5,2,1.")
    ] = "all",
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config", metavar="NAME=FILE", help="A configuration, laid over the preset default; repeatable."
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option("--preset", help="A preset as a configuration; repeatable. Without it and --config: default."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="A.B=C", help="One setting of every configuration, e.g. sampler.keep=0.05; repeatable."
        ),
    ] = None,
    no_pixels: Annotated[
        bool, typer.Option("--no-pixels", help="Do not compare heat maps with masks: image figures only.")
    ] = False,
    keep_features: Annotated[
        str,
        typer.Option(
            "--keep-features", help="Disk for features that later seeds use again; 0 computes them each time."
        ),
    ] = "4 GiB",
) -> None:
    """Run a published protocol: categories x seeds x configurations. A table as papers print it, a page that says why.

    A benchmark that was stopped goes on where it was: call it again with the same words.
    """
    with explained():
        from patchcore_plugin.benchmark.configurations import configurations
        from patchcore_plugin.benchmark.protocol import Protocol, chosen_categories, parsed_seeds, parsed_shots
        from patchcore_plugin.datasets.layouts import open_dataset
        from patchcore_plugin.results import require_page

        require_page()
        dataset = open_dataset(layout, root)
        for note in dataset.notes:
            notice(note)
        protocol = Protocol(
            dataset=dataset,
            categories=chosen_categories(dataset, category or ()),
            configurations=configurations(preset or (), config or (), overrides or ()),
            seeds=parsed_seeds(seeds),
            shots=parsed_shots(shots),
            pixels=dataset.has_masks and not no_pixels,
        )
        summary = _all_runs(protocol, folder, _bytes(keep_features))
        words = _again(layout, root, folder, category, seeds, shots, config, preset, overrides, no_pixels)
        for table in _written(summary, protocol, folder, words):
            out.print(table.to_markdown(), markup=False)
        out.print(f"Written to {folder}. Open {folder / 'index.html'} to see which parts fail, and why.")


def _bytes(text: str) -> int:
    from patchcore_plugin.byte_sizes import bytes_of
    from patchcore_plugin.errors import ConfigError

    try:
        return bytes_of(text)
    except ValueError as problem:
        raise ConfigError(f"--keep-features: {problem}. Such as '4 GiB', or 0 to keep none.") from None


def _all_runs(protocol: Protocol, folder: Path, keep_features: int) -> Summary:
    from patchcore_plugin.benchmark.ledger import Ledger
    from patchcore_plugin.benchmark.series import carry_out_all, kept_runs, plan
    from patchcore_plugin.benchmark.summary import Summary

    with _alone(folder):
        ledger = Ledger(kept_runs(folder))
        with Bars(transient=True) as bars:
            planned = plan(protocol, ledger, bars)
        records = []
        for step in carry_out_all(
            planned, protocol, ledger, keep_features=keep_features, bars=lambda _: Bars(transient=True)
        ):
            _tell(step)
            records.append(step.record)
        return Summary(tuple(records))


def _tell(step: Step) -> None:
    auroc = f"image AUROC {100 * step.record.figures['image_auroc']:.2f} %"
    took = "done before" if step.kept else f"{step.record.wall_seconds:.1f} s"
    left = f"; {step.left}" if step.left else ""
    notice(f"[{step.number}/{step.total}] {step.run.title}: {auroc}, {took}{left}")


def _written(summary: Summary, protocol: Protocol, folder: Path, command: str) -> list[Table]:
    from patchcore_plugin.benchmark.page import About, write_page
    from patchcore_plugin.benchmark.table_files import write_json, write_markdown, write_rows
    from patchcore_plugin.benchmark.tables import all_tables

    backbones = {one.name: one.backbone for one in protocol.configurations}
    tables = all_tables(summary, protocol.dataset.layout, backbones)
    write_markdown(folder / "results.md", tables, command)
    write_rows(folder / "results.csv", summary)
    write_json(folder / "results.json", summary, protocol.dataset.layout, command)
    write_page(folder / "index.html", summary, About(protocol.dataset.layout, backbones, command))
    return tables


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no second benchmark write to the same folder."""
    from patchcore_plugin.errors import StoreError
    from patchcore_plugin.folder_lock import FolderLock

    try:
        lock = FolderLock(folder / ".lock")
    except StoreError:
        raise StoreError(
            f"{folder} is in use by another benchmark. Wait until that is done, or name another --out."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _again(
    layout: str, root: Path, folder: Path, category: list[str] | None, seeds: str, shots: str,
    config: list[str] | None, preset: list[str] | None, overrides: list[str] | None, no_pixels: bool,
) -> str:  # fmt: skip
    """Write the command that makes the same results."""
    words = ["patchcore", "benchmark", layout, str(root), "--out", str(folder), "--seeds", seeds, "--shots", shots]
    for option, values in (("--category", category), ("--preset", preset), ("--config", config), ("--set", overrides)):
        words += [word for value in values or () for word in (option, value)]
    return shlex.join([*words, *(["--no-pixels"] if no_pixels else [])])
