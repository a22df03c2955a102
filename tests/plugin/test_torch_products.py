"""Products that keep all bits, whatever a program allows torch to lose."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from patchcore_plugin.torch_products import less_products, may_lose_bits


@contextmanager
def precision(word):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(word)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def rows(count, seed=0, width=256):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def farthest_off(left, right):
    halves = right.square().sum(dim=1) / 2
    truth = halves.double() - left.double() @ right.double().T
    return float((less_products(halves, left, right) - truth).abs().max())


def test_products_are_those_of_float32():
    assert 0 < farthest_off(rows(64), rows(512, 1)) < 2e-4


@pytest.mark.parametrize("word", ["high", "medium"])
def test_settings_that_shorten_values_change_nothing_and_are_not_changed(word):
    with precision(word):
        assert may_lose_bits()
        assert farthest_off(rows(512), rows(512, 1)) < 2e-4
        assert torch.get_float32_matmul_precision() == word
    assert not may_lose_bits()


def test_autocast_changes_nothing_and_stays_on():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (rows(4) @ rows(4, 1).T).dtype == torch.bfloat16
        assert farthest_off(rows(64), rows(512, 1)) < 2e-4
        assert torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("name", "value", "lost"), [
    ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", True),
    ("DNNL_DEFAULT_FPMATH_MODE", "ANY", True),
    ("ONEDNN_DEFAULT_FPMATH_MODE", "STRICT", False),
    ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1", True),
    ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "0", False),
])  # fmt: skip
def test_the_environment_is_listened_to(monkeypatch, name, value, lost):
    monkeypatch.setenv(name, value)
    assert may_lose_bits() is lost


def test_settings_that_torch_cannot_tell_are_taken_for_the_worst(monkeypatch):
    def torn():
        raise RuntimeError("mix of the legacy and new APIs")

    monkeypatch.setattr("patchcore_plugin.torch_products._BY_SETTING", (torn,))
    assert may_lose_bits()
