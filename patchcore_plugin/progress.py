"""How long work tells where it stands, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the stage's name, the steps done, and how many there are (None: unknown)."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Note that ``done`` of ``total`` steps of ``stage`` are done."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Listen to nothing."""
