"""A law in plain words: what it is, why it matters, which real fault it caught, and how to mend a violation."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from patchcore_conformance.claims import KINDS, LEVELS
from patchcore_conformance.registry import find_laws, laws_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_conformance.law import Law

_WIDTH = 96
_MARGIN = 15


def explain(word: str) -> str:
    """Explain one law by its id, or all laws of a kind.

    Raises: KitError when there is neither.
    """
    if word not in KINDS:
        return "\n\n".join(_in_words(laws) for laws in _alike(find_laws(word)))
    title = f"{word}: {len(laws_of(word))} laws; levels: {' < '.join(LEVELS[word])}"
    return "\n\n".join([title, *(_in_words([law]) for law in laws_of(word))])


def _alike(laws: Sequence[Law]) -> list[list[Law]]:
    """Put laws of several kinds together where they say the same."""
    found: dict[tuple[str, ...], list[Law]] = {}
    for law in laws:
        found.setdefault((law.statement, law.why, law.seen, law.mend, law.promise), []).append(law)
    return list(found.values())


def _in_words(laws: Sequence[Law]) -> str:
    law = laws[0]
    parts = {
        "law": law.statement,
        "why": law.why,
        "seen": law.seen,
        "mend": law.mend,
        "asked of": f"parts that promise {law.promise}" if law.promise else "every part; it cannot be disclaimed",
        "builds on": ", ".join(law.after),
        "profile": "" if law.profile.rank == 0 else f"{law.profile.name} and above",
        "by chance": "decided by statistics, at the error rate that it states" if law.statistical else "",
        "must notice": "; ".join(dict.fromkeys(saboteur.name for one in laws for saboteur in one.saboteurs)),
        "check": f"{law.check.__module__}.{law.check.__qualname__}",
    }
    title = f"{law.id} ({', '.join(one.kind for one in laws)}), since {law.since}"
    return "\n".join([title, *(_paragraph(name, text) for name, text in parts.items() if text)])


def _paragraph(name: str, text: str) -> str:
    return textwrap.fill(
        text,
        width=_WIDTH,
        initial_indent=f"  {name}:".ljust(_MARGIN),
        subsequent_indent=" " * _MARGIN,
        break_on_hyphens=False,
        break_long_words=False,
    )
