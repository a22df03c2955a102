"""Files of weights as torch itself writes them, in its archive layout and in the one before."""

from __future__ import annotations

import io

import pytest
import torch

LAYOUTS = pytest.mark.parametrize("archive", [True, False], ids=["archive", "old"])
SMALL = {"conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "norm.bias": torch.tensor([0.5, -1.5])}


def saved(value, *, archive=True, protocol=2):
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=archive, pickle_protocol=protocol)
    return stream.getvalue()
