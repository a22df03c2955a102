"""Embeddings as a sampler meets them: an array, or rows that are read in pieces from where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import EmptyInputError, ShapeError
from patchcore_reference.checks import require_finite, require_real

if TYPE_CHECKING:
    import numpy.typing as npt

_AT_ONCE = 2**22  # values of a store that are looked at together


class Stored(Protocol):
    """Embeddings (N, D) that are read in pieces, such as an ``EmbeddingStore``.

    One that also has ``folder`` lets the sampler put files there, with names that end in ``embedding_store.SCRATCH``.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and width, (N, D)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values that reading gives."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: Any, /) -> npt.NDArray[Any]: ...


def readable(embeddings: Any) -> Stored:
    """Take arrays as they are, everything that can be one as an array, and stores as stores.

    Raises: ShapeError, EmptyInputError for what is no set of rows. Values are not looked at.
    """
    store = hasattr(embeddings, "__getitem__") and hasattr(embeddings, "dtype") and not hasattr(embeddings, "__array__")
    rows = embeddings if store and not hasattr(embeddings, "__dlpack__") else as_numpy(embeddings, "embeddings")
    if len(rows.shape) != 2:
        raise ShapeError(f"embeddings have shape {rows.shape}, but one row per embedding, (rows, width), is needed.")
    if 0 in rows.shape:
        raise EmptyInputError(f"embeddings are empty: their shape is {rows.shape}. At least one row is needed.")
    require_real(rows, "embeddings")
    return cast("Stored", rows)


def row_count(embeddings: Any) -> int:
    """How many rows there are, for samplers that need to know no more.

    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Cost:   every value is looked at once, but for those in an ``EmbeddingStore``, which has done that.
    """
    rows = readable(embeddings)
    if isinstance(rows, np.ndarray):
        require_finite(rows, "embeddings")
    elif not isinstance(rows, EmbeddingStore):
        step = max(1, _AT_ONCE // rows.shape[1])
        for start in range(0, len(rows), step):
            require_finite(rows[start : start + step], f"embeddings from row {start} on")
    return len(rows)
