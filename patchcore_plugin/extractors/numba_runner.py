"""Programs run on all cores: whole images side by side, and strips of the images that are left over."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numba import get_num_threads, njit, prange

from patchcore_plugin.extractors.numba_program import NONE, aligned
from patchcore_plugin.extractors.numba_steps import run_step, write_map

_TURN = Lock()


@njit(parallel=True, cache=True)
def _whole_images(steps, layers, weights, pixels, memory, lane_values, image_values, zeros, maps, count, lanes):
    for lane in prange(lanes):
        slots = zeros + lane * lane_values
        for image in range(lane, count, lanes):
            for i in range(len(steps)):
                step = steps[i]
                run_step(step, layers, weights, pixels, image, memory, slots, slots + image_values, 0, step.out_height)
                if step.map_at != NONE:
                    write_map(step, memory, slots, maps, len(pixels), image)


@njit(parallel=True, cache=True)
def _strips_of_images(steps, layers, weights, pixels, memory, lane_values, image_values, zeros, maps, first, strips):
    for i in range(len(steps)):
        step = steps[i]
        for task in prange((len(pixels) - first) * strips):
            lane, strip = task // strips, task % strips
            slots = zeros + lane * lane_values
            scratch = zeros + task * lane_values + image_values
            top, end = strip * step.out_height // strips, (strip + 1) * step.out_height // strips
            run_step(step, layers, weights, pixels, first + lane, memory, slots, scratch, top, end)
        if step.map_at != NONE:
            for lane in prange(len(pixels) - first):
                write_map(step, memory, zeros + lane * lane_values, maps, len(pixels), first + lane)


def run(program, packed, pixels):
    with _TURN:
        lanes = get_num_threads()
        lane_values = -(-(program.image_values + program.scratch_values) // 16) * 16
        zeros = -(-program.widest // 16) * 16
        memory = aligned(zeros + lanes * lane_values)
        memory[:zeros] = 0
        maps = np.empty(len(pixels) * sum(c * h * w for c, h, w in program.map_shapes.values()), np.float32)
        left_over = len(pixels) % lanes
        shared = program.steps, packed.table, packed.values, pixels, memory, lane_values, program.image_values, zeros, maps
        _whole_images(*shared, len(pixels) - left_over, lanes)
        if left_over:
            _strips_of_images(*shared, len(pixels) - left_over, lanes // left_over)
    result, at = {}, 0
    for place, (c, h, w) in program.map_shapes.items():
        size = len(pixels) * c * h * w
        result[place] = maps[at : at + size].reshape(len(pixels), c, h, w)
        at += size
    return result
