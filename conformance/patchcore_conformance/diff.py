"""Two reports side by side: which verdicts changed, which margins grew, and which laws are not the same any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patchcore_conformance.formats.json_report import read
from patchcore_conformance.verdicts import BAD, UNSETTLED, Verdict

if TYPE_CHECKING:
    import os

_GREW = 1.1  # a margin has grown when it is larger by this factor
_TELLING = 0.01  # and this share of the tolerance; what is far below it is noise

# From good to bad; laws that were not checked say nothing either way.
_RANKS = {**dict.fromkeys(Verdict, 1), Verdict.PASS: 0, **dict.fromkeys(UNSETTLED, 2), **dict.fromkeys(BAD, 3)}


@dataclass(frozen=True)
class Change:
    """One law in both reports: a verdict or a worst margin, before and after."""

    id: str
    before: Any
    after: Any

    def __str__(self) -> str:
        texts = (f"{one:.3g}" if isinstance(one, float) else str(one) for one in (self.before, self.after))
        return f"{self.id}: {' -> '.join(texts)}"


@dataclass(frozen=True)
class Diff:
    """What is different in the second report.

    verdicts, margins   laws of both reports whose verdict changed, or whose worst margin grew.
    laws                laws of both reports that demand something else by now.
    gone, new           laws of one report only.
    facts               what else is different: the part, its claims, profile, seed, kit, libraries.
    """

    verdicts: tuple[Change, ...]
    margins: tuple[Change, ...]
    laws: tuple[str, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    facts: tuple[Change, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """Verdicts that changed for the worse; a law that was held and is not judged any more is one of them."""
        return tuple(one for one in self.verdicts if _RANKS[Verdict(one.after)] > _RANKS[Verdict(one.before)])

    def in_words(self) -> list[str]:
        """Tell all differences; one line says so where there are none."""
        worse = set(self.worse)
        lines = [f"{one}{' (worse)' if one in worse else ''}" for one in self.verdicts]
        lines += [
            f"{one.id}: worst margin {one.before:.3g} -> {one.after:.3g} of the tolerance" for one in self.margins
        ]
        lines += [f"{one}: the law itself is not the same" for one in self.laws]
        lines += [f"{one}: only in the first report" for one in self.gone]
        lines += [f"{one}: only in the second report" for one in self.new]
        return [*(lines or ["no law is judged otherwise"]), *map(str, self.facts)]


def diff(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> Diff:
    """Compare two reports that were written as JSON; KitError when one cannot be read."""
    return compared(read(before), read(after))


def compared(before: dict[str, Any], after: dict[str, Any]) -> Diff:
    """Compare two reports as plain data."""
    one, two = ({check["id"]: check for check in report["checks"]} for report in (before, after))
    both = [law for law in one if law in two]
    changed = [Change(law, one[law]["verdict"], two[law]["verdict"]) for law in both]
    margins = [Change(law, _margin(one[law]), _margin(two[law])) for law in both]
    return Diff(
        verdicts=tuple(change for change in changed if change.before != change.after),
        margins=tuple(change for change in margins if _has_grown(change)),
        laws=tuple(law for law in both if one[law]["digest"] != two[law]["digest"]),
        gone=tuple(law for law in one if law not in two),
        new=tuple(law for law in two if law not in one),
        facts=tuple(_facts(before, after)),
    )


def _margin(check: dict[str, Any]) -> float | None:
    return None if check["worst_margin"] is None else float(check["worst_margin"])


def _has_grown(change: Change) -> bool:
    if change.before is None or change.after is None:
        return False
    return bool(change.after > change.before * _GREW and change.after - change.before > _TELLING)


def _facts(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    flat = []
    for report in (before, after):
        named = {name: report[name] for name in ("profile", "seed", "spec", "kit")}
        named |= {name: report["subject"][name] for name in ("kind", "factory", "distribution", "options")}
        flat.append({**named, **{f"claim {name}": value for name, value in report["claims"].items()}, **report["env"]})
    one, two = flat
    return [Change(name, one.get(name), two.get(name)) for name in {**one, **two} if one.get(name) != two.get(name)]
