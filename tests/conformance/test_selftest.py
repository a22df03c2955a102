"""The kit judges itself: no law can be left out, emptied or changed without the self-test saying so."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from patchcore_conformance import kill_matrix, processes, selftest
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.claims import KINDS
from patchcore_conformance.registry import laws_of
from patchcore_conformance.violation import KitError

ALL = [(kind, law.id) for kind in KINDS for law in laws_of(kind)]


def with_laws(monkeypatch, kind, laws):
    """Let the registry hold these laws of a kind."""
    for module in (selftest, kill_matrix):
        monkeypatch.setattr(module, "laws_of", lambda of: laws if of == kind else laws_of(of))


def without_check(law):
    return replace(law, check=lambda ctx: None)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_stands_as_it_is_written(kind):
    assert selftest.structure(kind) == []


@pytest.mark.parametrize(("kind", "law_id"), ALL)
def test_a_law_cannot_be_left_out(kind, law_id, monkeypatch):
    with_laws(monkeypatch, kind, tuple(law for law in laws_of(kind) if law.id != law_id))
    off = selftest.structure(kind)
    assert any(law_id in one and "not there" in one for one in off)


def test_a_law_cannot_be_added_unwritten(monkeypatch):
    with_laws(monkeypatch, "maps", (*laws_of("maps"), replace(laws_of("maps")[0], id="A99")))
    off = selftest.structure("maps")
    assert any("'A99' do not stand written" in one for one in off)
    assert any("no broken part of maps is there for A99" in one for one in off)


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "Anything goes."},
        {"promise": "nothing"},
        {"witnesses": 0},
        {"saboteurs": ()},
        {"after": ("A12", "A13")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_law_cannot_change_unwritten(change, monkeypatch):
    first, *others = laws_of("maps")
    with_laws(monkeypatch, "maps", (replace(first, **change), *others))
    assert selftest.structure("maps") != []


def test_a_broken_part_cannot_be_left_out(monkeypatch):
    gone, *others = broken_parts("maps")
    monkeypatch.setattr(selftest, "broken_parts", lambda _: tuple(others))
    assert any(repr(gone.name) in one and "not there" in one for one in selftest.structure("maps"))


def test_a_broken_part_cannot_name_a_law_that_does_not_catch_it(monkeypatch):
    first, *others = broken_parts("maps")
    wrong = replace(first, caught_by=(*first.caught_by, "A98"))
    monkeypatch.setattr(selftest, "broken_parts", lambda _: (wrong, *others))
    off = selftest.structure("maps")
    assert any("A98 is named, but the kill matrix does not have it" in one for one in off)
    assert any("A98 of maps is to catch parts, but there is no such law" in one for one in off)


@pytest.mark.parametrize(
    ("kind", "law_id"), [("maps", "A10"), ("scores", "A01"), ("aggregator", "G04"), ("sampler", "S01")]
)
def test_an_emptied_check_lets_its_broken_parts_pass(kind, law_id, monkeypatch):
    emptied = tuple(without_check(law) if law.id == law_id else law for law in laws_of(kind))
    with_laws(monkeypatch, kind, emptied)
    part = next(part for part in broken_parts(kind) if law_id in part.caught_by)
    assert selftest.structure(kind) == []  # nothing to be seen from outside
    off = selftest.uncaught(kind, {part.name: selftest.blind(kind, part.name)})
    assert off == [f"{kind}, broken part {part.name!r}: not caught by {law_id}"]


def test_a_law_may_lose_a_part_that_does_not_name_it_but_not_many():
    known = kill_matrix.golden("maps").must
    unnamed = [part for part in broken_parts("maps") if "A13" in set(known[part.name]) - set(part.caught_by)]
    assert selftest.uncaught("maps", {unnamed[0].name: ["A13"]}) == []
    (off,) = selftest.uncaught("maps", {part.name: ["A13"] for part in unnamed})
    assert f"A13 of maps grew blind: it lost {len(unnamed)} of the" in off


def test_an_emptied_check_is_held_against_valid_parts_too(monkeypatch):
    from patchcore_conformance import engine

    emptied = tuple(without_check(law) if law.id == "A10" else law for law in laws_of("maps"))
    monkeypatch.setattr(engine, "laws_of", lambda _: emptied)
    off = [one for name in kill_matrix.valid_names("maps", with_torch=False) for one in selftest.refusals("maps", name)]
    assert off
    assert all("A10 VACUOUS" in one for one in off)


def test_a_check_that_refuses_valid_parts_is_found_out(monkeypatch):
    from patchcore_conformance import engine

    strict = tuple(
        replace(law, check=lambda ctx: ctx.broken("never good enough")) if law.id == "A10" else law
        for law in laws_of("maps")
    )
    monkeypatch.setattr(engine, "laws_of", lambda _: strict)
    name = kill_matrix.valid_names("maps", with_torch=False)[0]
    assert any("A10 FAIL: never good enough" in one for one in selftest.refusals("maps", name))


def test_weak_probes_are_found_out(monkeypatch):
    assert selftest.probe_strength() == []
    family, _, weak = selftest._FAMILIES[0]
    monkeypatch.setattr(selftest, "_FAMILIES", ((family, lambda rows: True, weak),))
    assert any("could be weak" in one for one in selftest.probe_strength())


def test_the_whole_is_one_line_and_an_exit_code():
    done = selftest.run(["maps"], workers=1)
    assert (done.exit_code, done.complaints) == (0, ())
    assert [done.told] == done.lines
    assert f"selftest: {len(laws_of('maps'))} laws, " in done.told


def test_what_is_off_is_told_and_ends_in_exit_code_3(monkeypatch):
    with_laws(monkeypatch, "maps", laws_of("maps")[1:])
    monkeypatch.setattr(selftest, "broken_parts", lambda _: ())
    monkeypatch.setattr(selftest, "accepted_parts", lambda _: ())
    done = selftest.run(["maps"], workers=1)
    assert done.exit_code == 3
    assert "things are off" in done.lines[-1]
    assert any("'A10'" in one for one in done.lines[:-1])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["extractor", "aggregator", "scores"])
def test_a_kind_passes_in_processes_of_its_own(kind):
    done = selftest.run([kind], workers=2)
    assert done.complaints == ()


def test_the_matrix_is_written_as_it_is_read(tmp_path, monkeypatch):
    path, parts = tmp_path / "matrix.json", broken_parts("maps")[:2]
    monkeypatch.setattr(kill_matrix, "broken_parts", lambda _: parts)
    kill_matrix.write(["maps"], path, workers=1)
    found, known = kill_matrix.golden("maps", path), kill_matrix.golden("maps")
    assert (found.digest, found.laws, found.valid) == (known.digest, known.laws, known.valid)
    assert found.must == {part.name: known.must[part.name] for part in parts}


def test_a_kind_that_does_not_stand_written_is_an_error(tmp_path):
    with pytest.raises(KitError, match="holds nothing about maps"):
        kill_matrix.golden("maps", tmp_path / "missing.json")


def test_work_comes_back_in_order_from_other_processes():
    assert processes.spread(pow, [(2, 3), (3, 2), (5, 2)], workers=2) == [8, 9, 25]


def test_a_process_that_is_ended_is_told():
    with pytest.raises(KitError, match=r"a process was ended .* at \(9,\)"):
        processes.spread(os._exit, [(9,), (0,)], workers=2)
