"""The pruned sampler: exactly the rows of the plain loop, on any rows, however they are stored and cut up."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from certificates import FLOAT32, FLOAT64, cover_radius, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import FAMILIES, clusters, identical, lattice, odd_layouts, rectified, row_sets, rows_of, shifted
from solar_cells import cells

from patchcore_plugin import PatchCore, disk_space
from patchcore_plugin.embedding_store import SCRATCH, EmbeddingStore
from patchcore_plugin.errors import (
    ConfigError,
    EmptyInputError,
    NonFiniteError,
    OutputError,
    ShapeError,
    TooFewRowsError,
)
from patchcore_plugin.images import iterate
from patchcore_plugin.samplers import axes, shells
from patchcore_plugin.samplers.pruned_greedy import PrunedGreedy
from patchcore_reference.coreset import coverage_radii, greedy_rows


class Slices:
    """Embeddings that come only in pieces, and count how many rows were read at a time."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype, self.most = rows, rows.shape, rows.dtype, 0

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, wanted):
        piece = self._rows[wanted].copy()
        self.most = max(self.most, len(piece))
        return piece


def structured(rows, width, rank=6, seed=0):
    """Rows near a space of few dimensions, as features of images are: short vectors say much about them."""
    random = np.random.default_rng(seed)
    points = random.standard_normal((rows, rank)) @ random.standard_normal((rank, width))
    return (points + 0.05 * random.standard_normal((rows, width)) + 3).astype(np.float32)


@pytest.fixture(scope="module")
def photographed():
    """Embeddings of solar cells, (3920, 152)."""
    detector = PatchCore()
    (batch,) = iterate(cells(0, 5), detector.settings.images, batch_size=5)
    return detector.parts.embed(batch.pixels).reshape(-1, 152)


@pytest.fixture
def _axes_for_few_rows(monkeypatch):
    """Make short vectors also of rows that are so few that they are measured by differences otherwise."""
    monkeypatch.setattr(axes, "_FEW_VALUES", 0)


def plain(rows, count, seed=0):
    """The reference's choice, from the same first row."""
    return greedy_rows(rows, count, first=int(np.random.default_rng(seed).integers(len(rows))))


def selected(rows, **settings):
    return PrunedGreedy(**settings).select_with_report(rows)


def assert_same(found, wanted):
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.radii, wanted.radii)


@given(rows=row_sets(families=(lattice,), max_rows=300, max_width=9), keep=st.floats(0.01, 1), seed=st.integers(0, 9))
def test_on_small_whole_numbers_it_is_the_reference_tie_for_tie(rows, keep, seed):
    found = selected(rows, keep=keep, seed=seed)
    np.testing.assert_array_equal(found.rows, plain(rows, len(found.rows), seed))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("total", "width"), [(700, 1), (700, 2), (700, 33), (900, 152), (300, 1312)])
def test_rows_are_farthest_first_and_radii_are_those_of_the_reference(family, total, width):
    rows = rows_of(family, total, width)
    found = selected(rows, keep=0.2)
    require_farthest_first(rows, found.rows, unit=FLOAT32)
    np.testing.assert_allclose(found.radii, coverage_radii(rows, found.rows), rtol=1e-4)
    assert found.rows.dtype == np.int64
    assert found.radii.dtype == np.float64
    assert (np.diff(found.radii) <= 0).all()


@pytest.mark.parametrize("total", [1, 2, 63, 64, 65, 2047, 2049, 5000])
def test_no_number_of_rows_is_special(total):
    rows = structured(total, 20)
    found = selected(rows, keep=0.3)
    require_farthest_first(rows, found.rows, unit=FLOAT32)
    np.testing.assert_allclose(found.radii[-1], cover_radius(rows, found.rows), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("_axes_for_few_rows")
def test_most_pairs_of_structured_rows_are_never_measured():
    found = selected(structured(6000, 300), keep=0.1)
    shares = found.facts["shares of pairs"]
    assert shares["measured"] < 0.05
    assert sum(shares.values()) == pytest.approx(1)
    require_farthest_first(structured(6000, 300), found.rows, unit=FLOAT32)


def test_rows_without_structure_are_picked_as_exactly():
    rows = np.random.default_rng(0).standard_normal((3000, 100)).astype(np.float32)
    found = selected(rows, keep=0.1)
    require_farthest_first(rows, found.rows, unit=FLOAT32)
    assert found.facts["width of short vectors"] == 1


def test_features_of_photographs_are_picked_as_the_reference_picks_them(photographed):
    found = selected(photographed, count=150)
    np.testing.assert_array_equal(found.rows, plain(photographed, 150))
    np.testing.assert_allclose(found.radii, coverage_radii(photographed, found.rows), rtol=1e-5)


def test_values_of_64_bits_are_compared_in_64_bits():
    random = np.random.default_rng(0)
    rows = 1 + 1e-9 * random.standard_normal((500, 30))
    found = selected(rows, keep=0.2)
    require_farthest_first(rows, found.rows, unit=FLOAT64)


@pytest.mark.parametrize("scale", [1e-18, 1e-12, 1e12, 1e18])
def test_scale_does_not_matter(scale):
    rows = structured(600, 40)
    found = selected((rows * np.float32(scale)).astype(np.float32), keep=0.2)
    require_farthest_first(rows.astype(np.float32) * np.float32(scale), found.rows, unit=FLOAT32)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_decide(threads):
    rows = structured(4000, 50)
    before = numba.get_num_threads()
    wanted = selected(rows, keep=0.1)
    try:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        assert_same(selected(rows, keep=0.1), wanted)
    finally:
        numba.set_num_threads(before)


@pytest.mark.usefixtures("_axes_for_few_rows")
@pytest.mark.parametrize("memory", [None, 10**7, 500_000, 100_000, 20_000])
@pytest.mark.parametrize("family", [structured, None])
def test_memory_and_the_way_rows_are_stored_do_not_decide(tmp_path, memory, family):
    rows = structured(2500, 60) if family else rows_of(shifted, 2500, 60)
    wanted = selected(rows, keep=0.1)
    store = EmbeddingStore(tmp_path / "rows", 60)
    store.append(rows)
    for kept in (rows, Slices(rows), store):
        assert_same(PrunedGreedy(keep=0.1).select_with_report(kept, memory=memory), wanted)
    store.close()


@pytest.mark.usefixtures("_axes_for_few_rows")
def test_rows_are_read_in_pieces_that_fit_the_memory():
    rows = Slices(structured(4000, 100))
    found = PrunedGreedy(keep=0.05).select_with_report(rows, memory=400_000)
    assert found.facts["short vectors on disk"]
    assert rows.most * 400 < 400_000
    roomy = PrunedGreedy(keep=0.05).select_with_report(rows, memory=600_000)
    assert not roomy.facts["short vectors on disk"]
    assert roomy.facts["width of short vectors"] < found.facts["width of short vectors"] == 49


def test_short_vectors_leave_nothing_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    PrunedGreedy(keep=0.1).select(structured(500, 100), memory=20_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_axes_for_few_rows")
def test_short_vectors_wait_beside_the_rows_and_go_away_again(tmp_path):
    store = EmbeddingStore(tmp_path / "rows", 100)
    store.append(structured(500, 100))
    seen = []

    def look(done, total):
        seen.extend(path.stat().st_size for path in tmp_path.iterdir() if path.name.endswith(SCRATCH))

    few = PrunedGreedy(keep=0.1)
    wanted = few.select(store)
    np.testing.assert_array_equal(few.select(store, look, memory=20_000), wanted)
    assert set(seen) == {few.disk_bytes(500, 100, 20_000)} == {500 * 49 * 4}
    assert few.disk_bytes(500, 100, None) == few.disk_bytes(500, 100, 10**7) == 0
    assert list(tmp_path.iterdir()) == [store.path]
    store.close()


def test_a_disk_without_room_for_short_vectors_is_refused_before_they_are_made(tmp_path, monkeypatch):
    store = EmbeddingStore(tmp_path / "rows", 100)
    store.append(structured(500, 100))
    usage = disk_space.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(OutputError, match="disk is too small"):
        PrunedGreedy(keep=0.1).select(store, memory=20_000)
    assert list(tmp_path.iterdir()) == [store.path]
    store.close()


def test_a_folder_for_short_vectors_that_is_gone_is_named(tmp_path):
    rows = Slices(structured(500, 100))
    rows.folder = tmp_path / "gone"
    with pytest.raises(OutputError, match="gone cannot be written"):
        PrunedGreedy(keep=0.1).select(rows, memory=20_000)


@pytest.mark.parametrize(("share", "most", "least"), [(0.5, 2048, 2048), (0.999, 64, 8), (0.96, 7, 1)])
def test_the_size_of_a_shell_does_not_decide(monkeypatch, share, most, least):
    rows = rows_of(clusters, 1500, 12)
    wanted = selected(rows, keep=0.2)
    for name, value in (("_SHELL", share), ("_MOST", most), ("_LEAST", least)):
        monkeypatch.setattr(shells, name, value)
    assert_same(selected(rows, keep=0.2), wanted)


@given(rows=row_sets(families=(lattice, clusters, rectified), max_rows=120, max_width=5), data=st.data())
def test_a_smaller_number_gives_the_beginning(rows, data):
    count = data.draw(st.integers(1, len(rows)))
    whole, part = selected(rows, count=len(rows)), selected(rows, count=count)
    np.testing.assert_array_equal(part.rows, whole.rows[:count])
    np.testing.assert_array_equal(part.radii, whole.radii[:count])
    assert whole.radii[-1] == 0


def test_laid_out_in_any_way_the_values_decide():
    rows = rows_of(rectified, 400, 20)
    wanted = selected(rows, keep=0.2)
    for name, same in odd_layouts(rows).items():
        before = same.copy()
        assert_same(selected(same, keep=0.2), wanted), name
        np.testing.assert_array_equal(same, before)


@pytest.mark.parametrize("kind", [np.float16, np.int8, np.uint16, np.int32])
def test_numbers_of_any_kind_are_taken(kind):
    rows = (rows_of(lattice, 200, 6) + 3).astype(kind)
    found = selected(rows, keep=0.5)
    np.testing.assert_array_equal(found.rows, plain(rows, 100))


def test_a_radius_is_reached_by_as_few_rows_as_greedy_picking_needs():
    rows = structured(1500, 30)
    every = selected(rows, count=1500)
    for radius in (every.radii[10], every.radii[100] * 1.0001, every.radii[700] * 0.9999, every.radii[0] * 2):
        found = selected(rows, radius=float(radius))
        assert found.radii[-1] <= radius
        assert (found.radii[:-1] > radius).all()
        np.testing.assert_array_equal(found.rows, every.rows[: len(found.rows)])
        np.testing.assert_array_equal(found.radii, every.radii[: len(found.rows)])


def test_a_radius_above_zero_never_keeps_duplicates():
    rows = np.repeat(rows_of(lattice, 40, 8), 5, axis=0)
    found = selected(rows, radius=1e-3)
    assert len(found.rows) == len(np.unique(rows, axis=0))
    assert found.radii[-1] == 0
    assert selected(rows_of(identical, 30, 4), radius=0.5).rows.shape == (1,)


@pytest.mark.parametrize(("megabytes", "kept"), [(0.0009, 2), (0.01, 25), (1e6, 300)])
def test_megabytes_are_those_of_the_bank(megabytes, kept):
    assert len(selected(structured(300, 100), megabytes=megabytes).rows) == kept


def test_megabytes_of_less_than_one_row_are_refused():
    with pytest.raises(ConfigError, match=r"megabytes is 0\.0001, but one row of 100 values"):
        PrunedGreedy(megabytes=0.0001).select(structured(300, 100))


@pytest.mark.parametrize(
    "settings",
    [
        {"radius": 0},
        {"radius": -1.0},
        {"radius": float("nan")},
        {"radius": float("inf")},
        {"radius": True},
        {"radius": "2"},
        {"megabytes": 0},
        {"megabytes": -5},
        {"megabytes": False},
        {"count": 0},
        {"seed": -1},
    ],
    ids=str,
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        PrunedGreedy(**settings)


@pytest.mark.parametrize(
    "settings", [{"count": 3, "radius": 1.0}, {"megabytes": 3, "radius": 1.0}, {"count": 3, "megabytes": 1.0}], ids=str
)
def test_two_targets_are_refused(settings):
    with pytest.raises(ConfigError, match=" and ".join(sorted(settings))):
        PrunedGreedy(**settings)


@pytest.mark.parametrize("memory", [0, -1, 1.5, True, "1 GiB"])
def test_memory_that_means_nothing_is_refused(memory):
    with pytest.raises(ConfigError, match="memory"):
        PrunedGreedy().select(structured(10, 3), memory=memory)


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (np.ones(3), ShapeError),
        (np.ones((0, 3)), EmptyInputError),
        (np.ones((3, 0)), EmptyInputError),
        (np.array([["a"]]), ShapeError),
        (Slices(np.ones((0, 3))), EmptyInputError),
        (Slices(np.full((50, 3), np.nan)), NonFiniteError),
    ],
)
def test_what_is_no_set_of_rows_is_refused(rows, error):
    with pytest.raises(error):
        PrunedGreedy().select(rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 4321])
def test_one_value_that_is_not_finite_is_found_wherever_it_is(value, row):
    rows = structured(6000, 10)
    rows[row, 7] = value
    with pytest.raises(NonFiniteError, match=rf"\[{row}, 7\]"):
        PrunedGreedy().select(rows)
    with pytest.raises(NonFiniteError):
        PrunedGreedy().select(Slices(rows))


def test_too_many_rows_are_refused():
    with pytest.raises(TooFewRowsError, match="count is 9, but there are 4"):
        PrunedGreedy(count=9).select(Slices(np.ones((4, 2))))


def test_progress_never_goes_back_and_comes_often():
    heard = []
    PrunedGreedy(keep=0.2).select(structured(5000, 40), progress=lambda *step: heard.append(step))
    done = [step[0] for step in heard]
    assert heard[-1] == (1000, 1000)
    assert done == sorted(done)
    assert len(heard) > 10


def test_progress_towards_a_radius_ends_at_all_of_it():
    heard = []
    rows = structured(3000, 40)
    radius = float(selected(rows, keep=0.1).radii[-1])
    PrunedGreedy(radius=radius).select(rows, progress=lambda *step: heard.append(step))
    done = [step[0] for step in heard]
    assert done == sorted(done)
    assert done[0] == 0
    assert heard[-1][0] == heard[-1][1]
    assert len(set(done)) > 10


def test_it_can_be_interrupted_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupt(done, _total):
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PrunedGreedy(keep=0.2).select(structured(3000, 40), progress=interrupt, memory=50_000)
    assert list(tmp_path.iterdir()) == []


def test_facts_tell_what_it_took():
    facts = selected(structured(2000, 40), keep=0.1).facts
    assert facts["rows"] == 200
    assert facts["pairs"] == 2000 * 200
    assert facts["batches"] >= 1
    assert set(facts["seconds"]) == {"axes", "short vectors", "picking"}
    assert facts["radius"] > 0
