"""One exception per thing the user can do about it; the text always ends with what to do next.

The arithmetic's own refusals (wrong width, too few rows ...) come from the reference and are the same classes here.
"""

from __future__ import annotations

from patchcore_reference.errors import (
    EmptyInputError,
    InputError,
    NonFiniteError,
    PatchCoreError,
    ShapeError,
    TooFewRowsError,
    WidthMismatchError,
)

__all__ = [
    "ConfigError",
    "EmptyInputError",
    "ImageError",
    "InputError",
    "MissingLibraryError",
    "ModelFileError",
    "NoImagesError",
    "NonFiniteError",
    "NotFittedError",
    "OutputError",
    "PatchCoreError",
    "PluginError",
    "ShapeError",
    "StoreError",
    "TooFewRowsError",
    "UnknownComponentError",
    "UnknownOptionError",
    "WeightsError",
    "WidthMismatchError",
]


class ConfigError(InputError):
    """A setting has a value that cannot be used: change it in the file or on the command line."""


class UnknownOptionError(ConfigError):
    """A setting that does not exist: correct its spelling; the text lists the ones that do."""


class UnknownComponentError(ConfigError):
    """A part that does not exist: correct its spelling or install the distribution that brings it."""


class PluginError(PatchCoreError):
    """A plugin is broken: repair it or leave it out with PATCHCORE_DISABLE_PLUGINS."""


class MissingLibraryError(PatchCoreError, ImportError):
    """A part needs a library that is not installed: install the extra that the text names."""


class ImageError(InputError):
    """One image cannot be used: repair it, remove it, or ask for such files to be skipped."""


class NoImagesError(InputError):
    """No image was found where images were expected: point to another place."""


class WeightsError(InputError):
    """A backbone's weights are missing or not what they should be: install the package or name another file."""


class ModelFileError(InputError):
    """A saved model cannot be read: fetch it again, or fit again; the text says which of the two."""


class OutputError(PatchCoreError, OSError):
    """A result could not be written: free the disk or choose another place; what was there before is intact."""


class StoreError(InputError):
    """Stored embeddings belong to another fit or are in use: delete their folder or name another one."""


class NotFittedError(PatchCoreError, RuntimeError):
    """The detector has no memory bank yet: call ``fit`` or ``PatchCore.load`` first."""
