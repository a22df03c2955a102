import ctypes
import signal
import subprocess
import sys
import threading
import time

import pytest

from patchcore_plugin.interrupts import interrupts_heard


@ctypes.CFUNCTYPE(None)
def _callback_that_loses_it():
    signal.raise_signal(signal.SIGINT)


def _go_on_after_losing_it():
    with interrupts_heard():
        _callback_that_loses_it()
        for _ in range(200):
            time.sleep(0.01)


def _fail_after_losing_it():
    with interrupts_heard():
        _callback_that_loses_it()
        raise RuntimeError("no compiled object yet")


def test_an_interrupt_that_a_callback_loses_is_raised_once_more():
    with pytest.raises(KeyboardInterrupt):
        _go_on_after_losing_it()


def test_a_failure_that_follows_a_lost_interrupt_counts_as_interrupted():
    with pytest.raises(KeyboardInterrupt) as caught:
        _fail_after_losing_it()
    assert isinstance(caught.value.__cause__, RuntimeError)
    time.sleep(0.1)  # nothing follows after the block


def test_an_ordinary_interrupt_and_an_ordinary_failure_pass_through():
    with pytest.raises(KeyboardInterrupt), interrupts_heard():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(ValueError, match="mine"), interrupts_heard():
        raise ValueError("mine")


def test_handlers_are_as_they_were_afterwards():
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGINT)
    with interrupts_heard():
        assert sys.unraisablehook is not hook
    assert sys.unraisablehook is hook
    assert signal.getsignal(signal.SIGINT) is handler


def test_someone_elses_handler_is_left_alone():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("theirs"))
    try:
        with interrupts_heard():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == ["theirs"]


def test_other_threads_may_use_it_though_they_hear_nothing():
    done = []

    def work():
        with interrupts_heard():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


COMMAND = """
import atexit, sys
from patchcore_plugin import cli
from patchcore_plugin.console import explained
from patchcore_plugin.errors import PatchCoreError

@cli.app.command()
def work():
    print("begun")
    with explained():
        {end}

atexit.register(print, "taken down")
sys.argv = ["patchcore", "work"]
cli.main()
"""


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ("raise KeyboardInterrupt", 1, ["begun"]),  # what was stopped half-way may crash when it is taken down
        ("raise PatchCoreError('wrong')", 1, ["begun", "taken down"]),
        ("pass", 0, ["begun", "taken down"]),
    ],
)
def test_only_an_interrupted_command_leaves_without_taking_anything_down(end, code, told):
    ran = subprocess.run([sys.executable, "-c", COMMAND.format(end=end)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.split("\n")[:-1]) == (code, told), ran.stderr
    assert ("Interrupted." in ran.stderr) == (end == "raise KeyboardInterrupt")
