"""The command ``patchcore``: plan, fit, score and the rest. Exit codes: 0 done, 1 failed, 2 to be corrected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchcore_plugin.benchmark.command import benchmark
from patchcore_plugin.console import Bars, Interrupted, explained, notice, out, print_parts
from patchcore_plugin.interrupts import leave_at_once

if TYPE_CHECKING:
    from patchcore_plugin.detector import PatchCore

app = typer.Typer(
    help="PatchCore: learn good parts from photographs, find defects in others. On a CPU, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings: a TOML, YAML or JSON file.")]
Preset = Annotated[
    str, typer.Option("--preset", help="Settings that ship with the package; --config is laid over them.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting, e.g. sampler.keep=0.05; repeatable.")
]
Skip = Annotated[
    bool,
    typer.Option("--skip-unreadable", help="Leave out files that are no images, and name them, instead of stopping."),
]
Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="A folder for the patch embeddings while fitting: a fit that was stopped goes on from there. "
        "With memory.budget set: MODEL.fit, unless named.",
    ),
]
Good = Annotated[Path, typer.Argument(metavar="GOOD", help="A folder of photographs of good parts.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that `patchcore fit` wrote.")]


@app.command()
def plan(
    good: Good,
    model: Annotated[Path, typer.Option("--out", help="Where the model would go.")] = Path("model.safetensors"),
    config: Config = None,
    preset: Preset = "default",
    overrides: Overrides = None,
    store: Store = None,
) -> None:
    """Say how much memory, disk and time `fit` with the same options will take, measured on a few of the images."""
    with explained():
        from patchcore_plugin.config import load_settings
        from patchcore_plugin.detector import PatchCore
        from patchcore_plugin.planning import plan_fit

        detector = PatchCore(load_settings(config, preset=preset, overrides=overrides or ()))
        with Bars() as bars:
            place = _store_of(detector, model, store)
            planned = plan_fit(good, detector, model=model, store=place, progress=bars)
        for line in planned.in_words():
            out.print(line, markup=False)


@app.command()
def fit(
    good: Good,
    model: Annotated[Path, typer.Option("--out", help="Where to write the model, e.g. parts.safetensors.")],
    config: Config = None,
    preset: Preset = "default",
    overrides: Overrides = None,
    skip_unreadable: Skip = False,
    store: Store = None,
) -> None:
    """Learn what good parts look like and write a model."""
    with explained():
        from patchcore_plugin.atomic_file import require_writable
        from patchcore_plugin.config import load_settings
        from patchcore_plugin.detector import PatchCore
        from patchcore_plugin.fit_sizes import FitSizes
        from patchcore_plugin.fit_store import removed_when_done
        from patchcore_plugin.images import find_images

        detector = PatchCore(load_settings(config, preset=preset, overrides=overrides or ()))
        images = find_images(good)
        require_writable(model)
        place = _store_of(detector, model, store)
        with Bars() as bars:
            detector.warm_up(progress=bars)
            FitSizes.of(len(images), detector.parts, detector.settings).require_space(model, place)
            with removed_when_done(place, notice):
                detector.fit(images, store=place, progress=bars, skip_unreadable=skip_unreadable)
                detector.save(model)
        out.print(f"{model}: {len(detector.bank)} patches remembered from {len(detector.bank.image_names)} images.")
        for line in detector.report.in_words() if detector.report else ():
            out.print(line, markup=False)
        if detector.calibration is None:
            out.print("No good images were held out (calibration.holdout): scores only, no verdicts.")
        else:
            out.print(detector.calibration.in_words())


def _store_of(detector: PatchCore, model: Path, named: Path | None) -> Path | None:
    """Return the folder for embeddings: the one that was named, or one beside the model where there is a budget."""
    if named is not None or detector.settings.memory.budget is None:
        return named
    return model.with_name(f"{model.name}.fit")


@app.command()
def score(
    model: Model,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Photographs, or folders of them.")],
    folder: Annotated[Path, typer.Option("--out", help="Where to write scores.csv, scores.jsonl and heat_maps/.")],
    overrides: Overrides = None,
    skip_unreadable: Skip = False,
    page: Annotated[bool, typer.Option("--page", help="Also write index.html (needs the extra 'eval').")] = False,
) -> None:
    """Score photographs and draw heat maps."""
    with explained():
        from patchcore_plugin.detector import PatchCore
        from patchcore_plugin.fit_only import require_effect
        from patchcore_plugin.results import Results, require_page

        if page:
            require_page()
        require_effect(overrides or ())
        detector = PatchCore.load(model, overrides=overrides or ())
        with Bars() as bars:
            detector.warm_up(progress=bars)
            scores = detector.score(images, progress=bars, skip_unreadable=skip_unreadable)
            results = Results(detector, scores)
            results.write(folder, progress=bars)
            if page:
                results.write_page(
                    folder,
                    title="Inspected parts",
                    intro=f"{len(scores)} images, compared with what {model.name} learned from good parts.",
                    command=f"patchcore score {model} {' '.join(map(str, images))} --out {folder} --page",
                    noun=("part", "parts"),
                )
        out.print(results.in_words())
        out.print(f"Written to {folder}.")


@app.command()
def evaluate(
    model: Model,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that holds 'good' and one folder per defect.")
    ],
    target: Annotated[
        Path | None, typer.Option("--out", help="Where to write scores, heat maps, metrics.json and index.html.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            help="A folder MASKS/<defect>/<image>[_mask].png: adds pixel AUROC, pixel average precision and AUPRO.",
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Score labelled photographs and say how well good and defective ones are told apart."""
    with explained():
        from patchcore_plugin.atomic_file import replacing
        from patchcore_plugin.detector import PatchCore
        from patchcore_plugin.evaluation import evaluated, labelled_folder, mask_files
        from patchcore_plugin.fit_only import require_effect
        from patchcore_plugin.results import Results, require_page

        labelled = labelled_folder(folder)
        if masks is not None:
            mask_files(labelled, masks)  # a mask that is missing is told before anything takes time
        if target is not None:
            require_page()
        require_effect(overrides or ())
        detector = PatchCore.load(model, overrides=overrides or ())
        with Bars() as bars:
            detector.warm_up(progress=bars)
            scores = detector.score(labelled.paths, progress=bars)
            evaluation = evaluated(scores, labelled, masks)
            if target is not None:
                results = Results(detector, scores, labelled.kinds, evaluation.figures)
                results.write(target, progress=bars)
                results.write_page(
                    target,
                    title="Good against defective parts",
                    intro=f"Labelled images of {folder}, scored by {model.name}.",
                    command=f"patchcore evaluate {model} {folder} --out {target}",
                    noun=("part", "parts"),
                )
                with replacing(target / "metrics.json") as temporary:
                    temporary.write_text(evaluation.to_json(), encoding="utf-8")
        for line in evaluation.in_words():
            out.print(line)


@app.command()
def plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """List every part that can be named in the configuration, and plugins that failed to load."""
    with explained():
        from patchcore_plugin import plugins as loaded

        rows, failures = loaded.describe()
        if as_json:
            typer.echo(json.dumps({"parts": rows, "failures": failures}, indent=2))
            return
        print_parts(rows, failures)


@app.command()
def layers(
    backbone: Annotated[str, typer.Argument(metavar="BACKBONE", help="A network, e.g. efficientnet_lite0.")],
    extractor: Annotated[
        str, typer.Option("--extractor", help="The part that runs it: numba-cnn, torchvision, timm.")
    ] = "numba-cnn",
    size: Annotated[
        str | None, typer.Option("--size", help="Of the images: 224, or 320x240 (height x width). [the network's own]")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is inside of blocks.")] = False,
) -> None:
    """List the layers of a network that extractor.layers can name, with their channels and grids."""
    with explained():
        from patchcore_plugin.layer_listing import image_size, layer_shapes, layer_table

        found = layer_shapes(extractor, backbone, image_size(size))
        out.print(layer_table([layer for layer in found if everything or not layer.inner]), soft_wrap=False)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where to write everything.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(help="Chooses which good cells are learned from.")] = 0,
    overrides: Overrides = None,
) -> None:
    """Inspect 300 x 300 px images of real solar cells, from learning to report (needs the extra 'demo')."""
    with explained():
        from patchcore_plugin.demo import run_demo

        with Bars() as bars:
            for line in run_demo(folder, seed=seed, overrides=overrides or (), progress=bars):
                out.print(line)


app.command()(benchmark)


# The words after it are the kit's own to read, --help among them.
@app.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def conform(words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND [ARGS]...")] = None) -> None:
    """Judge a part, yours or an installed one: the conformance kit (needs the extra 'conformance')."""
    with explained():
        from patchcore_plugin.borrowed_command import borrowed

        commands = borrowed("conform")
    commands(words or ["--help"], prog_name="patchcore conform")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except SystemExit as end:
        if isinstance(end.__context__, Interrupted):
            leave_at_once(end.__context__.exit_code)
        raise
