"""A trial of a factory runs once, also where it fails, and again each time where a factory cannot be remembered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from patchcore_conformance.drivers.once import once_a_factory


class _Plain:
    pass


class _WithoutReferences:
    __slots__ = ()


class _Unhashable:
    __hash__ = None  # as a mutable dataclass has it


@pytest.mark.parametrize(("factory", "trials"), [(_Plain(), 1), (_WithoutReferences(), 2), (_Unhashable(), 2)])
def test_a_trial_runs_once_for_a_factory_that_can_be_remembered(factory: Any, trials: int) -> None:
    asked: list[Any] = []

    @once_a_factory
    def find(ctx: Any) -> int:
        asked.append(ctx)
        return 5

    assert [find(SimpleNamespace(factory=factory)) for _ in range(2)] == [5, 5]
    assert len(asked) == trials


def test_a_trial_that_fails_is_not_tried_twice() -> None:
    asked: list[Any] = []

    @once_a_factory
    def find(ctx: Any) -> int:
        asked.append(ctx)
        raise TypeError("the part's own")

    with pytest.raises(TypeError, match="the part's own"):
        find(SimpleNamespace(factory=_Plain()))
    assert len(asked) == 1
