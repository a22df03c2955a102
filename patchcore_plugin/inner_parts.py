"""A part as a table with ``name`` and options: a section of the settings, or inside another part's options."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from patchcore_plugin import components
from patchcore_plugin.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def created(kind: str, table: object, place: str, example: str) -> Any:
    """Create the part that a table describes; ``place`` and ``example`` are for the one who has to correct it.

    Raises: ConfigError for what is no such table; and as ``components.create``.
    """
    if not isinstance(table, dict) or "name" not in table:
        raise ConfigError(f"{place} is {table!r}, but a table with a name is needed, as in {example}.")
    options = {str(option): value for option, value in table.items() if option != "name"}
    return components.create(kind, table["name"], **options)


def written_out(table: Mapping[str, Any], part: object) -> dict[str, Any]:
    """Return the table with every option of its part, so that later defaults change nothing."""
    if not is_dataclass(part):
        return dict(table)
    options = {option.name: getattr(part, option.name) for option in fields(part) if option.init}
    return {"name": table["name"], **options}


def as_text(value: Any) -> str:
    """Write tables so that equal ones are equal text, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, default=str)
