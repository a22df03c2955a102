"""Ctrl-C that is always heard: also where a library loses the exception on its way.

A ``KeyboardInterrupt`` that arises while a C library calls back into Python has nowhere to go: Python prints it and
goes on. Numba is in such a callback for much of the time that it compiles, and then fails with an error of its own, or
not at all. Here an interrupt that was lost is raised once more, and what fails because of it counts as interrupted.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGAIN = 0.05  # seconds until a lost interrupt is raised once more: the callback has returned by then


@contextmanager
def interrupts_heard() -> Iterator[None]:
    """Raise KeyboardInterrupt after Ctrl-C, whatever was running.

    Does nothing outside the main thread, or where the caller has put another handler in place of Python's own.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    ear = _Ear()
    signal.signal(signal.SIGINT, ear.hear)
    sys.unraisablehook = ear.raise_again
    try:
        yield
    except Exception as failure:
        if ear.heard:
            raise KeyboardInterrupt from failure
        raise
    finally:
        ear.close()
        sys.unraisablehook = ear.hook_before
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_at_once(code: int) -> NoReturn:
    """End the process without taking anything down, for when a library was interrupted half-way.

    LLVM, stopped while Numba compiles, has crashed when Python freed its objects one by one at the end.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Ear:
    """Remembers that an interrupt came, and raises again the one that was lost."""

    def __init__(self) -> None:
        self.heard = False
        self.hook_before = sys.unraisablehook
        self._timers: list[threading.Timer] = []

    def hear(self, *_: Any) -> None:
        self.heard = True
        raise KeyboardInterrupt

    def raise_again(self, lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self.hook_before(lost)
            return
        timer = threading.Timer(_AGAIN, _thread.interrupt_main)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
