"""The laws for all kinds: each mistake that any kind can make is caught in every kind, and the right parts pass."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from patchcore_conformance.broken import generic
from patchcore_conformance.broken.registry import _BROKEN
from patchcore_conformance.drivers.driver import shuffled_within
from patchcore_conformance.engine import run
from patchcore_conformance.fresh_process import answers_there, get_ready
from patchcore_conformance.model.aggregator import LocalMean
from patchcore_conformance.registry import laws_of
from patchcore_conformance.subject import Subject
from patchcore_conformance.verdicts import BAD, Verdict

MISTAKES = [part for part in _BROKEN.values() if getattr(part.make, "func", None) is generic.make]
IDS = [f"X{number:02}" for number in range(1, 14)]


def verdicts(kind, make, claims, only):
    return {result.id: result.verdict for result in run(kind, make, claims, only=only).results}


@pytest.mark.parametrize("part", MISTAKES, ids=lambda part: f"{part.kind}, {part.name}")
def test_a_mistake_that_any_kind_can_make_is_caught(part):
    found = verdicts(part.kind, part.make, part.claims, part.caught_by)
    assert {law for law, verdict in found.items() if verdict in BAD} == set(part.caught_by)


@pytest.mark.parametrize("kind", generic.RIGHT)
def test_every_law_for_all_kinds_has_a_mistake_that_it_catches(kind):
    caught = {law for part in MISTAKES if part.kind == kind for law in part.caught_by}
    assert caught == set(IDS) <= {law.id for law in laws_of(kind)}


@pytest.mark.parametrize("kind", generic.RIGHT)
def test_a_right_part_passes_all_of_them(kind):
    claims = {**generic.RIGHT[kind][1], "serialisable": True, "thread_safe": True}
    found = verdicts(kind, generic.right_part(kind), claims, IDS)
    assert found == dict.fromkeys(IDS, Verdict.PASS)


def test_a_factory_that_cannot_be_sent_to_another_process_is_judged_in_this_one():
    assert verdicts("aggregator", lambda **options: LocalMean(**options), {}, ["X06"]) == {"X06": Verdict.PASS}


def test_the_other_process_answers_and_has_other_hashes(aggregator_context):
    from patchcore_conformance.drivers.driver import driver_of

    driver = driver_of(aggregator_context)
    case = driver.cases()[0]
    here, there = driver.bits(driver.raw(case), case), answers_there(aggregator_context, case)
    assert there is not None
    assert all((one == two).all() for one, two in zip(here, there, strict=True))


def no_part(**_):
    raise SystemExit("no part can be made")


@pytest.mark.parametrize("make", [LocalMean, no_part, lambda: None], ids=["a part", "none", "one that cannot be sent"])
def test_the_other_process_answers_after_it_was_told_to_get_ready(make, aggregator_context):
    from patchcore_conformance.drivers.driver import driver_of

    get_ready(Subject.of("aggregator", make))
    case = driver_of(aggregator_context).cases()[0]
    there = answers_there(aggregator_context, case)
    assert there is not None
    assert there[0].shape == (2, 8, 11, 7)


@pytest.fixture
def aggregator_context():
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context
    from patchcore_conformance.profiles import QUICK
    from patchcore_conformance.watched import Record, Tap

    return Context("X06", "aggregator", Claims.of(None, "aggregator"), QUICK, 0, LocalMean, Tap(Record()))


def test_looking_at_the_process_does_not_change_it_even_where_numba_has_not_started():
    # Numba's threads start when first asked for their number, and set torch's: only a new process shows it.
    code = (
        "import numba, torch\n"
        "from patchcore_conformance.surroundings import state, unusual\n"
        "with unusual():\n"
        "    told = [state(), state()]\n"
        "assert told[0] == told[1], told\n"
        'assert told[0]["torch\'s number of threads"] > torch.get_num_threads()\n'
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_switches_that_stand_right_are_not_set_since_that_loads_much_of_torch_and_others_are_put_back():
    code = (
        "import sys, torch\n"
        "from patchcore_conformance.surroundings import unusual\n"
        "before = set(sys.modules)\n"
        "with unusual():\n"
        "    assert len(set(sys.modules) - before) < 100, set(sys.modules) - before\n"
        "    torch.use_deterministic_algorithms(True)\n"
        "assert not torch.are_deterministic_algorithms_enabled()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_libraries_that_are_loaded_get_so_many_threads_and_their_own_back(monkeypatch):
    from patchcore_conformance.surroundings import threads

    told, processors = [2], os.cpu_count()
    library = SimpleNamespace(get_num_threads=lambda: told[-1], set_num_threads=told.append)
    numba = SimpleNamespace(**vars(library), config=SimpleNamespace(NUMBA_NUM_THREADS=2))
    monkeypatch.setitem(sys.modules, "torch", library)
    monkeypatch.setitem(sys.modules, "numba", numba)
    monkeypatch.setitem(sys.modules, "faiss", SimpleNamespace())  # one that has no such switch
    with threads(3):
        assert (told, os.cpu_count()) == ([2, 2, 3], 3)  # Numba takes no more than it was started with
    assert (told, os.cpu_count()) == ([2, 2, 3, 2, 2], processors)


@pytest.mark.parametrize("shape", [(24, 5), (7, 5), (2, 3, 8, 9), (1, 3, 8, 9)])
def test_another_order_within_keeps_both_ends_and_the_sum(shape):
    values = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    other, end = shuffled_within(values), values.size // max(4, len(values))
    assert np.array_equal(np.sort(other.ravel()), values.ravel())
    assert np.array_equal(other.ravel()[:end], values.ravel()[:end])
    assert np.array_equal(other.ravel()[-end:], values.ravel()[-end:])
    assert (other != values).any()
