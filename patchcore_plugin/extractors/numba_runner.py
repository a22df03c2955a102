"""Programs run on all cores: whole images side by side, and strips of the images that are left over."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numba import get_num_threads, njit, prange

from patchcore_plugin.extractors.numba_program import NONE, aligned
from patchcore_plugin.extractors.numba_steps import run_step, write_map

_TURN = Lock()


@njit(parallel=True, cache=True)
def _run_passes(passes, steps, layers, weights, pixels, memory, zeros, lane_values, image_values, maps):
    for number in range(len(passes)):
        for task in prange(passes[number].lanes * passes[number].strips):
            part = passes[number]
            lane, strip = task // part.strips, task % part.strips
            slots = zeros + lane * lane_values
            scratch = zeros + task * lane_values + image_values
            for image in range(part.first_image + lane, part.end_image, part.lanes):
                for i in range(part.first_step, part.end_step):
                    step = steps[i]
                    first, end = strip * step.out_height // part.strips, (strip + 1) * step.out_height // part.strips
                    run_step(step, layers, weights, pixels, image, memory, slots, scratch, first, end)
                    if step.map_at != NONE:
                        write_map(step, memory, slots, maps, len(pixels), image, first, end)


PASS = np.dtype([(name, "i8") for name in ("first_step", "end_step", "first_image", "end_image", "lanes", "strips")])


def _passes(steps, images, threads):
    left_over = images % threads
    whole = images - left_over
    rows = [(0, steps, 0, whole, threads, 1)] if whole else []
    if left_over:
        rows += [(step, step + 1, whole, images, left_over, threads // left_over) for step in range(steps)]
    return np.array(rows, PASS)


def run(program, packed, pixels):
    with _TURN:
        lanes = get_num_threads()
        lane_values = -(-(program.image_values + program.scratch_values) // 16) * 16
        zeros = -(-program.widest // 16) * 16
        memory = aligned(zeros + lanes * lane_values)
        memory[:zeros] = 0
        maps = np.empty(len(pixels) * sum(c * h * w for c, h, w in program.map_shapes.values()), np.float32)
        _run_passes(_passes(len(program.steps), len(pixels), lanes), program.steps, packed.table, packed.values, pixels, memory, zeros, lane_values, program.image_values, maps)
    result, at = {}, 0
    for place, (c, h, w) in program.map_shapes.items():
        size = len(pixels) * c * h * w
        result[place] = maps[at : at + size].reshape(len(pixels), c, h, w)
        at += size
    return result
