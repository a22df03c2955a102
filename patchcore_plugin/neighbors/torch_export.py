"""Exact search as a module without branches on values: for ``torch.export``, ONNX, ``torch.compile`` and hosts."""

from __future__ import annotations

from typing import Any

import torch

from patchcore_plugin.torch_bounds import fit_bounds, squared_lengths
from patchcore_plugin.torch_checks import floats, require_rows
from patchcore_plugin.torch_device import on_device
from patchcore_reference.checks import require_count

_SPARE = 3  # candidates beyond k, so that rounding of products does not decide between near ties


class NearestRows(torch.nn.Module):
    """Finds the k nearest rows of a bank that is part of the module; k is fixed, the number of queries is not.

    Candidates come from centred float32 products, distances from differences, as in torch-exact. What is left out is
    the proof that no other row is nearer, which needs a branch: where more than ``k + 3`` rows are equally near up to
    the rounding of products, any of them may be answered. Products follow the host's settings; TensorFloat-32 loses
    near rows. Values are not checked either: NaN in a query gives NaN.
    """

    bank: torch.Tensor
    centre: torch.Tensor
    centred: torch.Tensor
    halves: torch.Tensor

    def __init__(self, bank: Any, k: int = 1, device: torch.device | None = None) -> None:
        """Copy a bank (M, D) into the module.

        Raises: ShapeError, EmptyInputError, NonFiniteError; TooFewRowsError when k > M.
        """
        super().__init__()
        rows = on_device(bank, device or torch.device("cpu"), "bank")
        require_rows(rows, "bank")
        require_count(k, len(rows), "k")
        self.k = int(k)
        own = floats(rows).to(torch.float32).clone(memory_format=torch.contiguous_format)
        bounds = fit_bounds(own)
        centre = torch.zeros_like(own[0]) if bounds.centre is None else bounds.centre / bounds.scale
        centred = own - centre
        self.register_buffer("bank", own)
        self.register_buffer("centre", centre)
        self.register_buffer("centred", centred)
        self.register_buffer("halves", (squared_lengths(centred) / 2).to(torch.float32))

    def forward(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the k rows nearest to each query.

        Shapes: queries float32 (Q, D) -> distances float32 (Q, k), rows int64 (Q, k).
        Units:  Euclidean distance, not squared.
        Order:  nearest first; equal distances: any of the rows.
        """
        return self.nearest(queries, self.k)

    def nearest(self, queries: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Find another number of rows, 1 <= k <= M; as ``forward`` otherwise."""
        products = self.halves - (queries - self.centre) @ self.centred.T
        rows = products.topk(min(len(self.bank), k + _SPARE), dim=1, largest=False).indices
        squares = (queries.unsqueeze(1) - self.bank[rows]).square().sum(dim=2)
        nearest = squares.topk(k, dim=1, largest=False, sorted=True)
        return nearest.values.sqrt(), rows.gather(1, nearest.indices)
