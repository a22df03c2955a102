"""Shared by all tests: Hypothesis is repeatable, and nothing a test does depends on how long compilation takes."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("repeatable")
