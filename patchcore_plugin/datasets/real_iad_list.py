"""One category's list of Real-IAD: which images are learned from and which are tested."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patchcore_plugin.datasets.split import GOOD, TestImage
from patchcore_plugin.errors import ImageError, InputError

if TYPE_CHECKING:
    from pathlib import Path

_KEYS = ("anomaly_class", "image_path", "mask_path")


@dataclass(frozen=True)
class RealIADList:
    """The file's ``train`` and ``test``, and the folder where their paths begin.

    That is ``meta.prefix`` below the folder of images, or the category's own folder; whichever holds the first image.
    """

    file: Path
    base: Path
    normal: str
    train: list[dict[str, Any]]
    tested: list[dict[str, Any]]

    @classmethod
    def read(cls, file: Path, images: Path, category: str) -> RealIADList:
        """Read the file.

        Raises: InputError when it is no such list; ImageError when its first image is not there.
        """
        content = _content(file)
        meta, train, test = content["meta"], content["train"], content["test"]
        first = train[0]["image_path"]
        bases = list(dict.fromkeys((images / str(meta.get("prefix", category)), images / category)))
        for base in bases:
            if (base / first).is_file():
                return cls(file, base, str(meta.get("normal_class", "OK")), train, test)
        places = " and ".join(str(base / first) for base in bases)
        raise ImageError(f"{file} names {first}, but {places} is not there. Check that the copy is complete.")

    def fit(self) -> tuple[Path, ...]:
        """Give the images to learn from, sorted.

        Raises: InputError when one is defective; ImageError when one is missing.
        """
        defects = sorted({str(entry["anomaly_class"]) for entry in self.train} - {self.normal})
        if defects:
            raise InputError(
                f"{self.file} has defective images ({', '.join(defects)}) to learn from: it belongs to the protocol "
                "with noise, which is not offered. Give the folder above, realiad_jsons or realiad_jsons_sv."
            )
        return tuple(sorted(self._there(entry["image_path"]) for entry in self.train))

    def test(self) -> tuple[TestImage, ...]:
        """Give the images to test, sorted by kind and path.

        Raises: ImageError when an image or mask is missing.
        """
        return tuple(sorted((self._tested(entry) for entry in self.tested), key=lambda one: (one.kind, one.path)))

    def _tested(self, entry: dict[str, Any]) -> TestImage:
        image, mask, kind = self._there(entry["image_path"]), entry["mask_path"], str(entry["anomaly_class"])
        if kind == self.normal or mask is None:
            return TestImage(image, GOOD)
        return TestImage(image, kind, (self._there(mask),))

    def _there(self, name: str) -> Path:
        path = self.base / name
        if not path.is_file():
            raise ImageError(f"{self.file} names {path}, which is not there. Check that the copy is complete.")
        return path


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"{file} cannot be read as JSON: {problem}. Fetch it again.") from problem
    content = {"meta": {}, **content} if isinstance(content, dict) else {}
    lists = [content.get(name) for name in ("train", "test")]
    if not all(_is_list(entries) for entries in lists) or not isinstance(content["meta"], dict):
        raise InputError(
            f"{file} is no list of Real-IAD: 'train' and 'test' are needed, each with entries of {', '.join(_KEYS)}. "
            "Fetch it again."
        )
    return content


def _is_list(entries: Any) -> bool:
    return (
        isinstance(entries, list)
        and bool(entries)
        and all(isinstance(one, dict) and set(_KEYS) <= one.keys() for one in entries)
    )
