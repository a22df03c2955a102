"""What a check raises: a law was broken, here is the input that shows it; or chance alone could not decide."""

from __future__ import annotations

from typing import Any


class Violation(Exception):  # noqa: N818 - a verdict on someone's part, not an error of the kit
    """A law does not hold; ``evidence`` names the arrays and numbers that show it."""

    def __init__(self, message: str, evidence: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.evidence = evidence or {}


class Inconclusive(Exception):  # noqa: N818 - neither for nor against the part
    """A statistical check saw too little to decide at the error rate it promises."""


class Missing(Exception):  # noqa: N818 - says something of the machine, not of the part
    """A library or a device that the part needs is not here."""


class NotOffered(Exception):  # noqa: N818 - says what the part does not have, which the contract lets it leave out
    """A law is about something optional that this part does not offer; the text says what."""


class KitError(Exception):
    """The kit was asked for something that it does not have, or was used in a way that cannot work."""
