"""What stored embeddings were made from, so that a later fit either goes on with them or says why it cannot."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.bank_file import versions
from patchcore_plugin.errors import NoImagesError, StoreError
from patchcore_plugin.images import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from patchcore_plugin.config import Settings
    from patchcore_plugin.parts import Parts

FORMAT = "patchcore-plugin embeddings of a fit"
FORMAT_VERSION = 1
_WAY_OUT = "Delete the folder to begin anew, or name another one."


@dataclass(frozen=True)
class ImageStamp:
    """One image as it was found: a file by size and time of its last change (ns), an array by size and SHA-256."""

    name: str
    size: int
    stamp: int | str


@dataclass(frozen=True)
class Manifest:
    """Everything that decides the embeddings and which of them are put aside.

    ``made_from`` are settings by section; ``grid`` (h, w) and ``width`` D are the same for every image.
    """

    made_from: dict[str, Any]
    images: tuple[ImageStamp, ...]
    grid: tuple[int, int]
    width: int

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "digest": self.digest}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps({**head, **asdict(self)}, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read it back.

        Raises: StoreError for a file that is damaged, foreign or from another version.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise StoreError(f"{path} was not written by `patchcore fit`. Name another folder for the embeddings.")
            if data["format_version"] != FORMAT_VERSION:
                found = data["format_version"]
                raise StoreError(f"{path} has format {found}, this version knows {FORMAT_VERSION}. {_WAY_OUT}")
            images = tuple(ImageStamp(**image) for image in data["images"])
            manifest = cls(data["made_from"], images, (data["grid"][0], data["grid"][1]), data["width"])
            intact = manifest.digest == data["digest"]
        except (OSError, ValueError, KeyError, TypeError) as problem:
            if isinstance(problem, StoreError):
                raise
            raise StoreError(f"{path} is damaged: {type(problem).__name__}: {problem}. {_WAY_OUT}") from problem
        if not intact:
            raise StoreError(f"{path} was altered: its digest is off. {_WAY_OUT}")
        return manifest

    def require_same(self, stored: Manifest, done: int, folder: Path) -> None:
        """Refuse to go on with embeddings of other settings or images.

        Of the first ``done`` images the contents count; of the others, which will be read now, only the names.

        Raises: StoreError that names the first setting or image that differs, with both of its values.
        """
        if stored.digest == self.digest:
            return
        reason = (
            _differing_setting(stored, self)
            or _differing_name(stored.images, self.images)
            or _differing_content(stored.images[:done], self.images[:done])
        )
        if reason:
            raise StoreError(
                f"{folder} holds the embeddings of another fit: {reason}. {_WAY_OUT} Or fit again as it was begun."
            )


def deciding_settings(settings: Settings, parts: Parts, batch_size: int) -> dict[str, Any]:
    """Collect the settings that decide the embeddings, each option of the parts written out, as plain JSON values."""
    resolved = parts.resolved(settings)
    found = {section: resolved[section] for section in ("images", "extractor", "aggregator")}
    found["extractor"]["weights_sha256"] = getattr(parts.extractor, "weights_sha256", None)
    found["calibration"] = {name: resolved["calibration"][name] for name in ("holdout", "seed")}
    # A network may answer in other last bits for other batches, and other versions of a library may do so too.
    found["made with"] = {"images at a time": batch_size, **versions()}
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def image_stamps(items: Sequence[Any], names: Sequence[str]) -> tuple[ImageStamp, ...]:
    """Note what each image of a source is now.

    Cost:   one look at each file; arrays are hashed.
    """
    return tuple(_stamp(item, name) for item, name in zip(items, names, strict=True))


def _stamp(item: Any, name: str) -> ImageStamp:
    if not isinstance(item, str | os.PathLike):
        image = np.ascontiguousarray(load(item, name))
        digest = hashlib.sha256(f"{image.dtype.str}{image.shape}".encode())
        digest.update(image.reshape(-1).view(np.uint8).data)
        return ImageStamp(name, image.nbytes, digest.hexdigest())
    try:
        found = os.stat(item)  # noqa: PTH116  the item may be plain text, and there may be very many
    except OSError as problem:
        raise NoImagesError(f"{name} cannot be read: {problem.strerror}. Check that it is still there.") from problem
    return ImageStamp(name, found.st_size, found.st_mtime_ns)


def _differing_setting(stored: Manifest, given: Manifest) -> str | None:
    before = dict(_flat({**stored.made_from, "patches": {"grid": list(stored.grid), "width": stored.width}}))
    now = dict(_flat({**given.made_from, "patches": {"grid": list(given.grid), "width": given.width}}))
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            return f"{name} was {before.get(name)!r} there and is {now.get(name)!r} here"
    return None


def _flat(sections: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for section, options in sections.items():
        for name, value in options.items():
            yield f"{section}.{name}" if section != "made with" else f"the version of {name}", value


def _differing_name(stored: Sequence[ImageStamp], given: Sequence[ImageStamp]) -> str | None:
    for number, (before, now) in enumerate(zip(stored, given, strict=False)):
        if before.name != now.name:
            return f"image {number} was {before.name} there and is {now.name} here"
    if len(stored) != len(given):
        return f"it was begun with {len(stored)} images, and {len(given)} are given here"
    return None


def _differing_content(stored: Sequence[ImageStamp], given: Sequence[ImageStamp]) -> str | None:
    for before, now in zip(stored, given, strict=True):
        if before != now:
            return f"{now.name} was changed since (it had {before.size} bytes, it has {now.size})"
    return None
