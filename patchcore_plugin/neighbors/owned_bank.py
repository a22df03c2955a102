"""What every index does first: check the bank, and take a copy that nobody else can change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_reference.checks import require_rows

if TYPE_CHECKING:
    import numpy.typing as npt


def own_bank(bank: Any) -> npt.NDArray[np.floating[Any]]:
    """Copy a bank: C-contiguous and read-only; float64 and wide whole numbers as float64, all else as float32.

    Shapes: any CPU array (M, D) -> float (M, D).
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    """
    rows = as_numpy(bank, "bank")
    require_rows(rows, "bank")
    exact_in_32_bits = rows.dtype.itemsize <= (4 if rows.dtype.kind == "f" else 2)
    dtype = np.float32 if exact_in_32_bits else np.float64
    owned: npt.NDArray[np.floating[Any]] = np.array(rows, dtype=dtype, order="C", copy=True)
    owned.flags.writeable = False
    return owned
