"""The command ``patchcore-conformance``, also ``patchcore conform``.

Exit codes: 0 conformant, 1 not, 2 to be corrected on the command line, 3 nothing could be decided.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from patchcore_conformance.console import explained, print_report, print_table, say

app = typer.Typer(
    help="Judge a part of PatchCore, yours or an installed one: does it do what its kind must?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Kind = Annotated[
    str | None, typer.Option("--kind", help="What TARGET makes: extractor, aggregator, sampler, neighbors, ...")
]
Target = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="With --kind, a factory, mypkg.search:build, or a plugin's module, mypkg; without, neighbors:faiss-flat.",
    ),
]
ClaimWords = Annotated[
    list[str] | None, typer.Option("--claim", metavar="A=B", help="A promise, e.g. level=exact; repeatable.")
]
OptionWords = Annotated[
    list[str] | None, typer.Option("--set", metavar="A=B", help="An option for the factory; repeatable.")
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="Check this law; repeatable.")]
ReportFile = Annotated[Path, typer.Argument(metavar="REPORT.json")]


@app.command()
def run(
    target: Target = None,
    kind: Kind = None,
    claims: ClaimWords = None,
    options: OptionWords = None,
    installed: Annotated[bool, typer.Option("--installed", help="All installed parts, one line each.")] = False,
    profile: Annotated[str, typer.Option("--profile", help="quick, standard or thorough.")] = "quick",
    seed: Annotated[int, typer.Option("--seed", help="Chooses the generated inputs.")] = 0,
    only: Only = None,
    expect: Annotated[Path | None, typer.Option("--expect", help="A TOML file of known failures.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Where to write the report.")] = None,
    formats: Annotated[str, typer.Option("--format", help="Of json, junit, md, badge; joined by commas.")] = "json",
) -> None:
    """Check a part against the laws of its kind."""
    with explained():
        from patchcore_conformance.expected import Expectations
        from patchcore_conformance.runs import Runs
        from patchcore_conformance.targets import parsed_claims, parsed_options, subject_named
        from patchcore_conformance.violation import KitError

        runs = Runs(profile, seed, only or None, folder, formats.split(","))
        if installed:
            if target or claims or options or expect:
                raise KitError("--installed judges every part by its own record: leave out TARGET and its settings.")
            raise typer.Exit(runs.installed(kind))
        if target is None:
            raise KitError("name what to judge, such as sampler:pruned-greedy; or all installed parts: --installed.")
        known = Expectations.of(expect)
        subject = subject_named(target, kind, parsed_claims(claims or ()), parsed_options(options or ()))
        raise typer.Exit(runs.one(subject, known))


@app.command(name="list")
def list_laws(kind: Kind = None) -> None:
    """List the laws, of one kind or of all."""
    with explained():
        from patchcore_conformance.listing import law_table

        print_table(law_table(kind))


@app.command()
def explain(
    words: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Laws, such as N05, or a kind for all of its laws.")
    ],
) -> None:
    """Say in plain words what a law is, why it matters, what it caught, and how to mend a violation."""
    with explained():
        from patchcore_conformance.explain import explain as in_words

        say("\n\n".join(in_words(word) for word in words).splitlines())


@app.command()
def replay(
    path: ReportFile,
    law: Annotated[str, typer.Argument(metavar="ID", help="The law to check again.")],
    make: Annotated[
        str | None, typer.Option("--make", help="Where the factory is now, if the report's name does not lead there.")
    ] = None,
) -> None:
    """Check one law again as a report did: does it still fail, and on the same input?"""
    with explained():
        from patchcore_conformance.replay import replay as again

        done = again(path, law, make)
        print_report(done.report, path)
        say(["", *done.in_words()])
        raise typer.Exit(done.report.exit_code)


@app.command()
def diff(before: ReportFile, after: ReportFile) -> None:
    """Compare two reports; exit code 1 where a verdict changed for the worse."""
    with explained():
        from patchcore_conformance.diff import diff as compared

        found = compared(before, after)
        say(found.in_words())
        raise typer.Exit(1 if found.worse else 0)


@app.command()
def selftest(
    kinds: Annotated[list[str] | None, typer.Option("--kind", help="Only laws of this kind; repeatable.")] = None,
) -> None:
    """Judge the kit: every broken part is caught, every valid one passes, and no law can be left out."""
    with explained():
        from patchcore_conformance import selftest as kit

        done = kit.run(kinds=kinds or None)
        say(done.lines)
        raise typer.Exit(done.exit_code)


def main() -> None:
    """Run the command line."""
    # OpenMP's threads spin while they wait: on a busy machine small calls take twenty times as long. Read once, early.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    app()
