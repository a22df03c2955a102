"""The BLAS works on one thread where it is asked to, and on as many as before afterwards."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from patchcore_plugin.blas_threads import one_blas_thread
from patchcore_plugin.samplers import axes


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        yield


def threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_inside_and_two_again_outside():
    with one_blas_thread():
        assert threads() == {1}
    assert threads() == {2}


def test_an_error_inside_restores_them_too():
    with pytest.raises(ValueError, match="inside"), one_blas_thread():
        raise ValueError("inside")
    assert threads() == {2}


def test_callers_at_the_same_time_leave_what_they_found():
    inside = threading.Barrier(2, timeout=0.2)

    def meet():
        with one_blas_thread(), pytest.raises(threading.BrokenBarrierError):
            inside.wait()  # the other cannot be inside as well

    callers = [threading.Thread(target=meet) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert threads() == {2}


def test_axes_are_fitted_on_one_thread(monkeypatch):
    seen = []
    fit = axes.fit_lower_bound
    monkeypatch.setattr(axes, "fit_lower_bound", lambda *given: (seen.append(threads()), fit(*given))[1])
    rows = np.random.default_rng(0).standard_normal((4_000, 200), dtype=np.float32)
    axes.fit_axes(rows, 49, 3_000, roomy=True)
    assert seen == [{1}]
    assert threads() == {2}
