"""The pruned search: right whichever way it goes, and going the way it is meant to go."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
from certificates import FLOAT32, Rejected, require_nearest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from row_families import FAMILIES, clusters, odd_layouts, rectified, row_sets, rows_of, shifted
from solar_cells import cells

from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.errors import NonFiniteError, TooFewRowsError
from patchcore_plugin.extractors.numba_cnn import NumbaCnn
from patchcore_plugin.neighbors import pruned_exact
from patchcore_plugin.neighbors.numba_pruned_scan import Budget
from patchcore_plugin.neighbors.pruned_exact import PrunedExact, PrunedExactIndex
from patchcore_plugin.neighbors.short_queries import shorten_queries

NEVER_ENOUGH, ALWAYS_ENOUGH = Budget(-1.0, -1.0), Budget(2.0, 2.0)
WAYS = {"pruned": ALWAYS_ENOUGH, "products": NEVER_ENOUGH}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Both ways to search, whatever the size: small rows find what large ones would hide."""
    go(monkeypatch, request.param)


def go(monkeypatch, way):
    for limit in ("_LEAST_WIDTH", "_LEAST_ROWS", "_ROWS_PER_NEIGHBOR", "_FEW"):
        monkeypatch.setattr(pruned_exact, limit, 0)
    monkeypatch.setattr(pruned_exact, "_budget", lambda width: WAYS[way])


def search(bank, queries, k=1):
    return PrunedExact().build(bank).query(queries, k)


def low_rank(seed, rows, width, rank=6, noise=0.02):
    """Rows that pruning is made for: a few directions hold nearly all."""
    random, directions = np.random.default_rng(seed), np.random.default_rng(5).standard_normal((rank, width))
    made = random.standard_normal((rows, rank)) @ directions + noise * random.standard_normal((rows, width))
    return made.astype(np.float32)


def features(first, last):
    """Patch embeddings of photographs of solar cells, as the default settings make them: 784 rows each, 152 wide."""
    pictures = [Image.open(path).convert("RGB").resize((224, 224)) for path in cells(0)[first:last]]
    pixels = (np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures]) / 255 - 0.45) / 0.225
    maps = NumbaCnn(layers=("blocks.2", "blocks.4")).extract(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return LocalMean().aggregate(maps).reshape(-1, 152)


@pytest.fixture
def passes_over_products(monkeypatch):
    """How many queries each pass over plain products was asked for."""
    asked, real = [], pruned_exact.search_products
    monkeypatch.setattr(pruned_exact, "search_products", lambda q, *rest: (asked.append(len(q)), real(q, *rest))[1])
    return asked


@pytest.mark.parametrize("name", WAYS)
@given(rows=row_sets(), data=st.data())
def test_the_nearest_rows_are_found_whatever_the_rows(name, rows, data):
    k = data.draw(st.integers(1, len(rows)))
    queries = np.concatenate([rows[::2] + np.float32(0.25), rows[:3]])
    with pytest.MonkeyPatch.context() as patch:
        go(patch, name)
        require_nearest(queries, rows, *search(rows, queries, k), k, unit=FLOAT32)


@pytest.mark.parametrize("width", [1, 2, 23, 24, 63, 64, 65, 151, 511, 512, 1311])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_no_width_is_cut_short(way, family, width):
    rows = rows_of(family, 150, width)
    queries = rows_of(family, 37, width, seed=1)
    require_nearest(queries, rows, *search(rows, queries, 3), 3, unit=FLOAT32)


@pytest.mark.parametrize("queries", [1, 15, 16, 17, 63, 64, 65, 130])
def test_no_query_is_lost_at_the_edges_of_groups(way, queries):
    bank, asked = low_rank(0, 300, 70), low_rank(1, queries, 70)
    require_nearest(asked, bank, *search(bank, asked), 1, unit=FLOAT32)


@pytest.mark.parametrize("rows", [1, 2, 47, 48, 49, 2015, 2016, 2017, 16_369, 70_001])
def test_no_bank_row_is_lost_at_the_edges_of_tiles(way, rows):
    bank = low_rank(0, rows, 50)
    asked = np.concatenate([bank[-3:], bank[:3], low_rank(1, 20, 50)])
    distances, found = search(bank, asked)
    require_nearest(asked, bank, distances, found, 1, unit=FLOAT32)
    assert distances[0] == 0
    assert found[0, 0] == max(rows - 3, 0)


def test_many_neighbours_are_found_across_tiles(way):
    bank, asked = low_rank(0, 40_000, 50), low_rank(1, 20, 50)
    require_nearest(asked, bank, *search(bank, asked, 40), 40, unit=FLOAT32)


def test_every_row_can_be_asked_for(way):
    bank, asked = low_rank(0, 200, 60), low_rank(1, 40, 60)
    _, found = search(bank, asked, 200)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(200), (40, 1)))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_answer_is_the_same_however_it_is_found_and_whoever_asks_along(monkeypatch, family):
    bank, asked = rows_of(family, 400, 70), rows_of(family, 90, 70, seed=1)
    answers = []
    for name in WAYS:
        go(monkeypatch, name)
        index = PrunedExact().build(bank)
        answers.append(index.query(asked, 3))
        parts = [index.query(asked[start:stop], 3) for start, stop in ((0, 1), (1, 40), (40, 90))]
        answers.append(tuple(np.concatenate(part) for part in zip(*parts, strict=True)))
    for other in answers[1:]:
        np.testing.assert_array_equal(other, answers[0])


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_a_mean_common_to_all_loses_no_neighbour(way, offset):
    bank, asked = (low_rank(seed, rows, 80) + np.float32(offset) for seed, rows in ((0, 500), (1, 60)))
    require_nearest(asked, bank, *search(bank, asked, 4), 4, unit=FLOAT32)


@pytest.mark.parametrize("scale", [1e-30, 1e-11, 1e11, 1e30])
def test_scale_changes_no_choice(way, scale):
    bank, asked = ((low_rank(seed, rows, 80) * scale).astype(np.float32) for seed, rows in ((0, 500), (1, 60)))
    require_nearest(asked, bank, *search(bank, asked, 2), 2, unit=FLOAT32)


@pytest.mark.parametrize("far", [1e3, 1e9, 1e15])
def test_queries_far_from_all_rows_are_answered(way, far):
    bank, asked = low_rank(0, 500, 80), low_rank(1, 50, 80) * np.float32(far)
    require_nearest(asked, bank, *search(bank, asked, 2), 2, unit=FLOAT32)


@pytest.mark.parametrize("offset", [0, 300])
@pytest.mark.parametrize("gap", [1e-7, 1e-6, 1e-5, 1e-3])
def test_rows_as_far_as_rounding_can_tell_are_told_apart(way, gap, offset):
    """All rows of a shell around each query are nearly as near: the margin decides which are measured."""
    random = np.random.default_rng(0)
    asked = offset + 3 * random.standard_normal((12, 120))
    directions = random.standard_normal((12, 60, 120))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    radii = 1 + gap * random.permuted(np.tile(np.arange(60.0), (12, 1)), axis=1)
    bank = (asked[:, None] + radii[..., None] * directions).reshape(-1, 120).astype(np.float32)
    queries = asked.astype(np.float32)
    require_nearest(queries, bank, *search(bank, queries, 2), 2, unit=FLOAT32)


@pytest.mark.parametrize("rank", [1, 5])
def test_rows_without_a_tail_are_told_apart(way, rank):
    """Nothing is left over beside the axes, so tails are rounding and nothing else."""
    bank, asked = (100 + low_rank(seed, rows, 200, rank, noise=0) for seed, rows in ((0, 400), (1, 60)))
    require_nearest(asked, bank, *search(bank, asked, 2), 2, unit=FLOAT32)


def test_a_bound_that_is_too_high_is_caught(monkeypatch):
    go(monkeypatch, "pruned")
    bank, asked = low_rank(0, 3000, 80, rank=40), low_rank(1, 60, 80, rank=40)
    index = PrunedExact().build(bank)
    halves = index.short.short.halves
    halves[::2] += np.median(halves)
    with pytest.raises(Rejected, match="nearer row was missed"):
        require_nearest(asked, bank, *index.query(asked), 1, unit=FLOAT32)


def test_features_of_images_are_searched_by_pruning_alone(passes_over_products):
    bank, asked = features(4, 9), features(0, 1)
    require_nearest(asked[::7], bank, *search(bank, asked[::7]), 1, unit=FLOAT32)
    require_nearest(asked[::50], bank, *search(bank, asked[::50], 9), 9, unit=FLOAT32)
    assert passes_over_products == []


@pytest.mark.parametrize("width", [64, 700])
def test_random_numbers_are_searched_by_products(passes_over_products, width):
    random = np.random.default_rng(0)
    bank, asked = (random.standard_normal((rows, width)).astype(np.float32) for rows in (3000, 150))
    require_nearest(asked, bank, *search(bank, asked), 1, unit=FLOAT32)
    assert passes_over_products == [150]


@pytest.mark.parametrize(("hard", "passes"), [(10, []), (100, [100])])
def test_hard_queries_among_easy_ones_are_answered_by_products_if_they_are_many(passes_over_products, hard, passes):
    random = np.random.default_rng(2)
    cloud = (10 + random.standard_normal((3000, 80))).astype(np.float32)
    bank, asked = np.concatenate([low_rank(0, 3000, 80), cloud]), low_rank(1, 300, 80)
    asked[100 : 100 + hard] = 10 + random.standard_normal((hard, 80))
    require_nearest(asked, bank, *search(bank, asked), 1, unit=FLOAT32)
    assert passes_over_products == passes


def test_small_and_narrow_banks_and_float64_are_measured_pair_by_pair():
    for bank in (low_rank(0, 100, 80), low_rank(0, 1000, 20), low_rank(0, 1000, 80).astype(np.float64)):
        assert PrunedExact().build(bank).short is None


@pytest.mark.parametrize("layout", sorted(odd_layouts(np.zeros((2, 2)))))
def test_the_layout_in_memory_does_not_matter(way, layout):
    bank = rows_of(clusters, 90, 53)
    held = odd_layouts(bank)[layout]
    np.testing.assert_array_equal(search(held, held, 3), search(bank, bank, 3))


@pytest.mark.parametrize("dtype", ["float16", "uint8", "float64"])
def test_queries_of_any_type_may_be_asked(way, dtype):
    bank = np.abs(np.round(rows_of(rectified, 300, 60) * 9))
    asked = np.abs(np.round(rows_of(rectified, 70, 60, seed=1) * 9)).astype(dtype)
    require_nearest(asked, bank, *search(bank, asked, 3), 3, unit=FLOAT32)


def test_no_queries_get_no_answers(way):
    distances, rows = search(low_rank(0, 300, 60), np.empty((0, 60)), 2)
    assert distances.shape == rows.shape == (0, 2)


def test_questions_without_an_answer_are_refused(way):
    index = PrunedExact().build(low_rank(0, 300, 60))
    with pytest.raises(TooFewRowsError):
        index.query(np.ones((1, 60)), 301)
    with pytest.raises(NonFiniteError):
        index.query(np.full((1, 60), np.nan))


@pytest.mark.parametrize("family", [clusters, shifted, rectified], ids=lambda family: family.__name__)
@pytest.mark.parametrize("width", [60, 130, 700])
def test_compiled_short_vectors_are_those_of_the_bound_within_its_slack(family, width):
    bank, asked = rows_of(family, 300, width), rows_of(family, 45, width, seed=1)
    short = pruned_exact.shorten_bank(bank)
    compiled, plain = shorten_queries(asked, short).longer[:45], short.bound.shorten(asked)
    apart = np.linalg.norm(compiled.astype(np.float64) - plain, axis=1)
    assert (apart <= 2 * short.bound.slack(plain)).all()


def test_the_index_cannot_be_changed():
    index = PrunedExact().build(low_rank(0, 300, 60))
    assert isinstance(index, PrunedExactIndex)
    with pytest.raises(ValueError, match="read-only"):
        index.bank[0, 0] = 5


def test_threads_change_nothing_and_may_ask_at_once():
    script = """
        import numba, numpy as np
        from concurrent.futures import ThreadPoolExecutor
        from patchcore_plugin.neighbors.pruned_exact import PrunedExact
        random = np.random.default_rng(0)
        turned = random.standard_normal((8, 64))
        bank, asked = ((random.standard_normal((n, 8)) @ turned).astype(np.float32) for n in (3000, 300))
        hard = random.standard_normal((300, 64)).astype(np.float32)
        index = PrunedExact().build(bank)
        answers = []
        for threads in (1, 2, 4):
            numba.set_num_threads(threads)
            answers.append(np.stack([*index.query(asked, 3), *index.query(hard, 3)]))
        assert all(np.array_equal(answers[0], other) for other in answers[1:])
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda q: np.stack(index.query(q, 3)), [asked, hard] * 6))
        assert all(np.array_equal(answer, answers[0][2 * (n % 2) :][:2]) for n, answer in enumerate(together))
        print("same")
    """
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4"}
    command = [sys.executable, "-c", dedent(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr
