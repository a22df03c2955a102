"""Finished runs on disk, one JSON file each: a benchmark that was stopped goes on, and no run passes for another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.bank_file import versions
from patchcore_plugin.benchmark.record import Record
from patchcore_plugin.errors import NoImagesError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from patchcore_plugin.benchmark.protocol import Protocol, Run
    from patchcore_plugin.datasets.split import Split
    from patchcore_plugin.parts import Parts

FORMAT = "patchcore-plugin benchmark run"
FORMAT_VERSION = 1
_WAY_OUT = "Name another --out, or delete that file to run it again."


def identity_of(run: Run, protocol: Protocol, split: Split, parts: Parts) -> dict[str, Any]:
    """Collect all that decides a run's figures, as plain data.

    Images count by their place below the data set's folder and their size in bytes: a data set may move, and be copied.
    """
    settings = run.configuration.for_seed(run.seed)
    identity = {
        "layout": protocol.dataset.layout,
        "category": run.category,
        "configuration": run.configuration.name,
        "shots": run.shots,
        "seed": run.seed,
        "masks compared": protocol.pixels,
        "settings": parts.resolved(settings),
        "weights": getattr(parts.extractor, "weights_sha256", None),
        "images": {
            "to learn from": _listed(((path,) for path in split.fit), protocol.dataset.root),
            "for the threshold": _listed(((path,) for path in split.calibrate), protocol.dataset.root),
            "to test": _listed(((one.path, one.kind, *one.masks) for one in split.test), protocol.dataset.root),
        },
        "versions": versions(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity))  # tuples become lists, as they will be when read back
    return plain


class Ledger:
    """The runs of one benchmark below ``folder``, each file whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, identity: dict[str, Any]) -> Path:
        """Say where a run stands: its name tells a person which one it is."""
        shots = "all" if identity["shots"] is None else f"{identity['shots']}-images"
        words = (identity["category"], identity["configuration"], shots, f"seed-{identity['seed']}")
        return self.folder / f"{'__'.join(quote(word, safe=' ') for word in words)}.json"

    def find(self, identity: dict[str, Any]) -> Record | None:
        """Give the finished run; None where it is still to be done.

        Raises: StoreError where a run stands under that name that was made from something else, with what differs;
                and where the file is damaged.
        """
        path = self.path(identity)
        if not path.exists():
            return None
        record = _read(path)
        difference = next(_differences(record.identity, identity), None)
        if difference is not None:
            raise StoreError(f"{path} is a run of other conditions: {difference}. {_WAY_OUT}")
        return record

    def add(self, record: Record) -> None:
        """Keep a finished run.

        Raises: OutputError when it cannot be written; nothing half-written is left then.
        """
        data = record.to_dict()
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": _digest(data)}
        with replacing(self.path(record.identity)) as temporary:
            temporary.write_text(json.dumps({**head, "run": data}, indent=1), encoding="utf-8")


def _read(path: Path) -> Record:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT or data["format_version"] != FORMAT_VERSION:
            raise StoreError(f"{path} is no run that this version wrote. {_WAY_OUT}")
        intact = _digest(data["run"]) == data["sha256"]
        record = Record.from_dict(data["run"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        if isinstance(problem, StoreError):
            raise
        raise StoreError(f"{path} is damaged: {type(problem).__name__}: {problem}. {_WAY_OUT}") from problem
    if not intact:
        raise StoreError(f"{path} was altered: its digest is off. {_WAY_OUT}")
    return record


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _listed(rows: Iterable[Iterable[Any]], root: Path) -> dict[str, Any]:
    """Count images and digest where each stands, how large it is, and what is known about it."""
    written = [[_stamp(word, root) if isinstance(word, Path) else word for word in row] for row in rows]
    return {"count": len(written), "sha256": _digest(written)}


def _stamp(path: Path, root: Path) -> list[Any]:
    try:
        size = path.stat().st_size
    except OSError as problem:
        raise NoImagesError(f"{path} cannot be read: {problem.strerror}. Check that it is still there.") from problem
    return [(path.relative_to(root) if path.is_relative_to(root) else path).as_posix(), size]


def _differences(stored: Any, given: Any, place: str = "") -> Iterator[str]:
    """Name each value that is not the same, by its place."""
    if isinstance(stored, dict) and isinstance(given, dict):
        for name in dict.fromkeys((*stored, *given)):
            yield from _differences(stored.get(name), given.get(name), f"{place}{name}: ")
    elif stored != given:
        yield f"{place}{stored!r} there, {given!r} here"
