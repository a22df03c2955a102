"""The laws as a table."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from patchcore_conformance.claims import KINDS
from patchcore_conformance.registry import laws_of


def law_table(kind: str | None = None) -> Table:
    """Return id, kind, what must be promised for it, and the law itself; KitError when there is no such kind."""
    table = Table("law", "kind", "asked of", "what holds", box=None, header_style="bold")
    for one in KINDS if kind is None else (kind,):
        for law in laws_of(one):
            table.add_row(law.id, law.kind, escape(law.promise or "every part"), escape(law.statement))
    return table
