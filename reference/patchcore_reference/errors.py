"""What can be wrong with numbers handed to the arithmetic: one class per thing the caller can do about it."""

from __future__ import annotations


class PatchCoreError(Exception):
    """Root of every error that this distribution raises on purpose; its text says what to do next."""


class InputError(PatchCoreError, ValueError):
    """A value was refused before anything changed."""


class ShapeError(InputError):
    """An array has the wrong number of axes or a size that fits nothing."""


class EmptyInputError(InputError):
    """There is nothing to compute with."""


class NonFiniteError(InputError):
    """NaN or infinity where only numbers have a meaning."""


class WidthMismatchError(InputError):
    """Two sets of embeddings do not have the same number of values a row."""


class TooFewRowsError(InputError):
    """More rows were asked for than there are."""
