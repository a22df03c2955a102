"""A program run on all cores: whole images side by side, then the images left over side by side in strips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import get_num_threads, njit, prange

from patchcore_plugin.extractors.numba_steps import Arrays, Lane, run_step
from patchcore_plugin.extractors.numba_weights import aligned
from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    from patchcore_plugin.arrays import FeatureMap, Pixels
    from patchcore_plugin.extractors.numba_program import Program
    from patchcore_plugin.extractors.numba_weights import PackedWeights, Table

# Steps for images, both from .. to, done by lanes x strips threads. All threads meet at the end of a pass.
PASS = np.dtype([(name, "i8") for name in ("first_step", "end_step", "first_image", "end_image", "lanes", "strips")])


def run(program: Program, packed: PackedWeights, pixels: Pixels) -> dict[int, FeatureMap]:
    """Compute the maps a program asks for, by block.

    Shapes: pixels float32 (B, 3, H, W), contiguous and writable (never written to; other kinds of array would each
            be compiled for) -> float32 (B, C, h, w) by block.
    Order:  results do not depend on the number of threads or on the batch: each value is summed in one order.
    Cost:   memory for one image per thread, apart from the result.
    """
    threads = get_num_threads()
    zeros = -(-program.zero_values // 16) * 16  # 16 values are a cache line
    lane_values = -(-(program.slot_values + program.window_values) // 16) * 16
    memory = aligned(zeros + threads * lane_values)
    memory[:zeros] = 0
    maps = np.empty(len(pixels) * sum(map(_size, program.map_shapes.values())), np.float32)
    arrays = Arrays(packed.layers, packed.values, pixels, memory, maps)
    passes = _passes(len(program.steps), len(pixels), threads)
    with one_at_a_time:
        _run_passes(passes, program.steps, arrays, zeros, lane_values, program.slot_values)
    return _cut(maps, len(pixels), program.map_shapes)


def _size(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]


def _cut(maps: FeatureMap, images: int, shapes: dict[int, tuple[int, int, int]]) -> dict[int, FeatureMap]:
    ends = np.cumsum([images * _size(shape) for shape in shapes.values()])
    parts = np.split(maps, ends[:-1])
    return {block: part.reshape(images, *shape) for (block, shape), part in zip(shapes.items(), parts, strict=True)}


def _passes(steps: int, images: int, threads: int) -> Table:
    """Whole images meet at the end only; strips of one image read each other's rows, so they meet after each step."""
    left_over = images % threads
    whole = images - left_over
    rows = [(0, steps, 0, whole, threads, 1)] if whole else []
    if left_over:
        rows += [(step, step + 1, whole, images, left_over, threads // left_over) for step in range(steps)]
    return np.array(rows, PASS)


def _compiled_for(sources: str) -> Any:
    """The one function that Numba keeps on disk: under the processor's name and features, and ``kernel_sources``."""

    @njit(parallel=True, cache=True)
    def run_passes(passes, steps, arrays, zeros, lane_values, slot_values):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        for number in range(len(passes)):
            for task in prange(passes[number].lanes * passes[number].strips):
                turn = passes[number]
                lane, strip = task // turn.strips, task % turn.strips
                slots, window = zeros + lane * lane_values, zeros + task * lane_values + slot_values
                for image in range(turn.first_image + lane, turn.end_image, turn.lanes):
                    for i in range(turn.first_step, turn.end_step):
                        height = steps[i].out_height
                        first, end = strip * height // turn.strips, (strip + 1) * height // turn.strips
                        run_step(steps[i], arrays, Lane(image, slots, window), first, end)

    return run_passes


_run_passes = _compiled_for(kernel_sources())
