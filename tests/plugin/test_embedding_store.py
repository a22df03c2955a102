"""Rows in a file answer as an array of the same rows would, and survive what happens to files."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin import embedding_store
from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import NonFiniteError, OutputError, ShapeError

ROWS = np.random.default_rng(0).standard_normal((20_000, 12)).astype(np.float32)
places = st.integers(-len(ROWS), len(ROWS) - 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = EmbeddingStore(tmp_path_factory.mktemp("store") / "rows.f32", 12)
    for start in range(0, len(ROWS), 3000):
        store.append(ROWS[start : start + 3000])
    yield store
    store.close()


def test_it_describes_itself_as_the_array_would(store):
    assert (store.shape, store.dtype, store.ndim, len(store), store.nbytes) == (
        ROWS.shape, ROWS.dtype, ROWS.ndim, len(ROWS), ROWS.nbytes,
    )  # fmt: skip


@given(start=st.none() | places, stop=st.none() | places, step=st.sampled_from([None, 1, 2, -1, 700]))
def test_any_slice_is_the_array_s(store, start, stop, step):
    expected = ROWS[start:stop:step]
    found = store[start:stop:step]
    assert (found.shape, found.dtype) == (expected.shape, np.float32)
    assert found.tobytes() == expected.tobytes()


@given(rows=st.lists(places, max_size=50), dense=st.booleans())
def test_any_choice_of_rows_is_the_array_s_in_the_order_asked_for(store, rows, dense):
    wanted = np.array([row % 60 for row in rows] if dense else rows, dtype=np.int64)
    assert store[wanted].tobytes() == ROWS[wanted].tobytes()
    assert store[wanted].shape == (len(rows), 12)


@pytest.mark.parametrize(("gap", "window"), [(0, 1), (48, 96), (200, 1000), (10**6, 10**6)])
def test_which_rows_are_read_together_does_not_decide(store, monkeypatch, gap, window):
    monkeypatch.setattr(embedding_store, "_GAP", gap)
    monkeypatch.setattr(embedding_store, "_WINDOW", window)
    random = np.random.default_rng(0)
    for wanted in (random.integers(0, 400, 300), np.sort(random.choice(len(ROWS), 500, replace=False)), [7, 7, 7]):
        assert store[wanted].tobytes() == ROWS[wanted].tobytes()


def test_systems_without_positioned_reads_give_the_same(store, monkeypatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    wanted = np.random.default_rng(0).integers(0, len(ROWS), 300)
    assert store[wanted].tobytes() == ROWS[wanted].tobytes()
    assert store[100:5000].tobytes() == ROWS[100:5000].tobytes()


def test_rows_close_together_are_read_in_one_go_and_lonely_ones_without_what_lies_between(store, monkeypatch):
    reads = []
    read = EmbeddingStore._read
    monkeypatch.setattr(
        EmbeddingStore,
        "_read",
        lambda self, target, place: reads.append(len(target) // 48) or read(self, target, place),
    )
    store[[19_000, 5, 100, 7, 5, 10_000, 10_002]]
    assert reads == [96, 3, 1]


def test_it_says_where_files_may_be_put_beside_it(tmp_path):
    store = with_rows(tmp_path, ROWS[:2])
    assert store.folder == tmp_path
    store.close()


def test_masks_and_single_rows_are_the_array_s(store):
    mask = ROWS[:, 0] > 1
    assert store[mask].tobytes() == ROWS[mask].tobytes()
    assert store[17].tobytes() == ROWS[17].tobytes()
    assert store[np.int64(-1)].tobytes() == ROWS[-1].tobytes()


@pytest.mark.parametrize("wanted", [20_000, -20_001, [0, 20_000], np.zeros((2, 2), int), [0.5]])
def test_rows_that_are_not_there_are_refused(store, wanted):
    with pytest.raises(IndexError, match="rows"):
        store[wanted]


def test_what_is_read_belongs_to_the_reader(store):
    first = store[0:5]
    first[:] = 0
    assert store[0:5].tobytes() == ROWS[0:5].tobytes()


def test_several_threads_read_their_own_rows(store):
    starts = list(range(0, len(ROWS), 250))
    with ThreadPoolExecutor(4) as pool:
        for start, block in zip(starts, pool.map(lambda a: store[a : a + 250], starts), strict=True):
            assert block.tobytes() == ROWS[start : start + 250].tobytes()


def test_rows_are_there_again_when_the_file_is_opened_again(tmp_path):
    with_rows(tmp_path, ROWS[:10]).close()
    again = EmbeddingStore(tmp_path / "rows", 12)
    assert again[:].tobytes() == ROWS[:10].tobytes()
    again.append(ROWS[10:12])
    assert again[:].tobytes() == ROWS[:12].tobytes()
    again.close()


def with_rows(folder, rows):
    store = EmbeddingStore(folder / "rows", rows.shape[1])
    store.append(rows)
    return store


@given(extra=st.binary(min_size=1, max_size=47))
def test_a_row_that_was_cut_short_is_dropped(tmp_path_factory, extra):
    folder = tmp_path_factory.mktemp("cut")
    with_rows(folder, ROWS[:3]).close()
    with (folder / "rows").open("ab") as file:
        file.write(extra)
    store = EmbeddingStore(folder / "rows", 12)
    store.append(ROWS[3:5])
    assert store[:].tobytes() == ROWS[:5].tobytes()
    store.close()


def test_rows_can_be_cut_off_again(tmp_path):
    store = with_rows(tmp_path, ROWS[:10])
    store.cut(4)
    assert (len(store), (tmp_path / "rows").stat().st_size) == (4, 4 * 48)
    store.append(ROWS[4:6])
    assert store[:].tobytes() == ROWS[:6].tobytes()
    store.close()


def test_bad_rows_are_refused_and_leave_the_store_as_it_was(tmp_path):
    store = with_rows(tmp_path, ROWS[:2])
    with pytest.raises(ShapeError, match="12"):
        store.append(ROWS[:, :5])
    with pytest.raises(NonFiniteError, match="NaN"):
        store.append(np.full((2, 12), np.nan, np.float32))
    assert store[:].tobytes() == ROWS[:2].tobytes()
    store.close()


def test_a_file_that_was_cut_meanwhile_is_not_read_as_if_it_were_whole(tmp_path):
    store = with_rows(tmp_path, ROWS[:10])
    with (tmp_path / "rows").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(OutputError, match="shorter than it was"):
        store[:]
    store.close()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="none"):
        EmbeddingStore(tmp_path / "none" / "rows", 3)


FULL = """
import resource, sys
import numpy as np
from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import OutputError

resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
store = EmbeddingStore(sys.argv[1], 100)
rows = np.arange(2000, dtype=np.float32).reshape(20, 100)
store.append(rows)
try:
    store.append(rows)
except OutputError as problem:
    print(problem)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
assert len(store) == 20
assert store[:].tobytes() == rows.tobytes()
store.append(rows[:5])
assert store[20:].tobytes() == rows[:5].tobytes()
"""


def test_a_disk_that_fills_keeps_what_was_complete(tmp_path):
    assert "Free some space" in run(FULL, tmp_path / "rows")


MUCH = """
import sys
import numpy as np
from patchcore_plugin.embedding_store import EmbeddingStore
from peak_memory import peak_bytes

store = EmbeddingStore(sys.argv[1], 256)
block = np.ones((4096, 256), np.float32)
store.append(block)
before = peak_bytes()
for number in range(63):
    store.append(block)
total = sum(float(store[start : start + 4096].sum()) for start in range(0, len(store), 4096))
assert total == store.shape[0] * 256.0
store[np.arange(0, len(store), 50)]
print(store.nbytes, peak_bytes() - before)
"""


def run(code, *arguments):
    """Run a program that may import what lies beside the tests."""
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r})\n{code}", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_far_larger_than_a_block_is_read_without_becoming_memory(tmp_path):
    size, grown = map(int, run(MUCH, tmp_path / "rows").split())
    assert size == 256 * 2**20
    assert grown < 32 * 2**20


def test_the_measure_of_memory_sees_a_large_array():
    """Twin of the test above: the same measure must notice what it would have to notice there."""
    code = (
        "import numpy as np\nfrom peak_memory import peak_bytes\nbefore = peak_bytes()\n"
        "rows = np.ones(16 * 2**20, np.float32)\nprint(peak_bytes() - before)"
    )
    assert int(run(code)) > 60 * 2**20
