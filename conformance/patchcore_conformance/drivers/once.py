"""What was found out about a factory, kept while the factory lives: trials take time, and many laws ask for them."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.context import Context

Found = TypeVar("Found")


def once_a_factory(find: Callable[[Context], Found]) -> Callable[[Context], Found]:
    """Let a trial of a context's factory run once for each factory."""
    known: WeakKeyDictionary[Callable[..., Any], Found] = WeakKeyDictionary()

    @wraps(find)
    def remembered(ctx: Context) -> Found:
        try:
            return known[ctx.factory]
        except KeyError:
            return known.setdefault(ctx.factory, find(ctx))
        except TypeError:  # a factory that cannot be remembered
            return find(ctx)

    return remembered
