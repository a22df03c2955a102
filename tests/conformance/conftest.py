"""Registries of made-up laws, in place of the real ones while a test runs."""

from __future__ import annotations

import made_up_laws
import pytest


@pytest.fixture
def add_law(monkeypatch):
    """Return how to add a law to a registry that is empty otherwise."""
    made_up_laws.empty_registry(monkeypatch.setattr)
    return made_up_laws.add


@pytest.fixture
def three_laws(monkeypatch):
    """T01, T02 and T03 are all the laws there are."""
    made_up_laws.a_small_registry(monkeypatch.setattr)
