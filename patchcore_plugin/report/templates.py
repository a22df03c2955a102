"""Pages from templates: everything that is filled in is escaped, and a name that is missing is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_plugin.errors import MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Callable

    import jinja2


def template_environment(source: Callable[[str], str], page: str) -> jinja2.Environment:
    """Make what fills templates.

    Args:   source: gives the text of a template by its name; page: what needs it, as a person calls it.
    Raises: MissingLibraryError without jinja2.
    """
    try:
        import jinja2
    except ImportError as problem:
        raise MissingLibraryError(
            f"{page} needs jinja2, which is not installed. Install it: pip install 'patchcore-plugin[eval]'"
        ) from problem
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(source), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
