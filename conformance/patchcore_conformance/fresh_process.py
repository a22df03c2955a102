"""A second Python process with other hashes, started once and asked often: does a part answer there as it does here?

Strings and sets are ordered otherwise in each process. What cannot be sent there (a lambda, a class of a script) is not
judged, and neither is a part that cannot work there: that says more of the process than of the part.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from patchcore_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Bits, Case
    from patchcore_conformance.subject import Subject

_PATIENCE = 120.0  # seconds; the first call may compile
_MAKE, _ANSWER = b"m", b"a"  # what to do, the first byte of each task
_RUNNING: list[subprocess.Popen[bytes]] = []


def get_ready(subject: Subject) -> None:
    """Let the other process make a part, and so load its libraries, while this one is busy; nobody waits for it."""
    try:
        factory = pickle.dumps(subject.make)
    except Exception:  # noqa: BLE001 - as below
        return
    process = _worker()
    try:
        with _patience(process):
            _send(process, _MAKE + factory)
    except OSError:
        _stop()


def answers_there(ctx: Context, case: Case) -> Bits | None:
    """Return what a part answers in the other process; None where that cannot be told."""
    try:
        question = _ANSWER + pickle.dumps((ctx.factory, ctx.kind, ctx.claims, ctx.profile, ctx.seed, case))
    except Exception:  # noqa: BLE001 - whatever the factory is made of may refuse in its own way
        return None
    process = _worker()
    try:
        with _patience(process):
            return _asked(process, question)
    except (OSError, EOFError, ValueError, pickle.UnpicklingError):
        _stop()
        return None


@contextmanager
def _patience(process: subprocess.Popen[bytes]) -> Iterator[None]:
    timer = threading.Timer(_PATIENCE, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _send(process: subprocess.Popen[bytes], task: bytes) -> None:
    if process.stdin is None:
        raise BrokenPipeError
    process.stdin.write(len(task).to_bytes(8, "big") + task)
    process.stdin.flush()


def _asked(process: subprocess.Popen[bytes], question: bytes) -> Bits | None:
    _send(process, question)
    if process.stdout is None:
        raise EOFError
    length = process.stdout.read(8)
    if len(length) < 8:
        raise EOFError
    answer: Bits | None = pickle.loads(process.stdout.read(int.from_bytes(length, "big")))  # noqa: S301 - from our own process
    return answer


def _worker() -> subprocess.Popen[bytes]:
    if _RUNNING and _RUNNING[0].poll() is None:
        return _RUNNING[0]
    _stop()
    other = "1" if os.environ.get("PYTHONHASHSEED") == "4321" else "4321"
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONHASHSEED": other, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "patchcore_conformance.fresh_process"]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    _RUNNING.append(subprocess.Popen(command, env=environment, **quiet))  # type: ignore[call-overload]  # noqa: S603
    return _RUNNING[0]


@atexit.register
def _stop() -> None:
    for process in _RUNNING:
        process.kill()
        process.communicate()
    _RUNNING.clear()


def _answer(question: bytes) -> Any:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import driver_of
    from patchcore_conformance.watched import Record, Tap

    try:
        factory, kind, claims, profile, seed, case = pickle.loads(question)  # noqa: S301 - from our own process
        driver = driver_of(Context("X06", kind, claims, profile, seed, factory, Tap(Record())))
        return driver.bits(driver.raw(case), case)
    except (Exception, Violation, SystemExit):  # noqa: BLE001 - not judged here
        return None


def _make(factory: bytes) -> None:
    with suppress(Exception, Violation, SystemExit):  # not judged here
        pickle.loads(factory)()  # noqa: S301 - from our own process


def _serve() -> None:
    """Answer until nobody asks any more; what parts print must not get between the answers."""
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while len(length := tasks.read(8)) == 8:
        task = tasks.read(int.from_bytes(length, "big"))
        if task[:1] == _MAKE:
            _make(task[1:])
            continue
        answer = pickle.dumps(_answer(task[1:]))
        answers.write(len(answer).to_bytes(8, "big") + answer)
        answers.flush()


if __name__ == "__main__":
    _serve()
