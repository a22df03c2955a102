"""Shared by all tests: Hypothesis is repeatable, and nothing a test does depends on how long compilation takes."""

from __future__ import annotations

import os

from hypothesis import settings

# OpenMP threads spin while they wait, and starve all else on the machine. Read when numba or torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("repeatable")
