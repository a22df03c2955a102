"""Patch embeddings with their directions evened out: learned from good images once, then applied to every image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.arrays import as_numpy, values_like
from patchcore_plugin.blas_threads import one_blas_thread
from patchcore_plugin.errors import ConfigError
from patchcore_reference.whitening import whitening_matrix

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.config import Settings
    from patchcore_plugin.good_images import GoodImages

_SAMPLE = 2**15  # rows that the matrix is made of, at most: as good as all of them, and each costs D^2


def require_whitenable(settings: Settings, *, on_disk: bool) -> None:
    """Refuse what cannot be whitened before any image is read.

    Raises: ConfigError where embeddings wait on disk.
    """
    if settings.embedding.whitening and on_disk:
        raise ConfigError(
            f"embedding.whitening is {settings.embedding.whitening}, which changes all embeddings in memory once all "
            "are there, but memory.budget or a store keeps them on disk. Do without one of the two."
        )


def whiten_good_images(good: GoodImages, strength: float) -> npt.NDArray[np.float32] | None:
    """Learn the matrix from the images to choose from, and apply it to all where they lie.

    Order:  ``strength`` 0 leaves everything as it is, and there is no matrix.
    Cost:   O(N*D^2) time; one image more in memory. Tensors stay on their device, but are computed with on the CPU.
    """
    if not strength:
        return None
    matrix = fitted_whitening(good.embeddings, strength)
    cells = good.grid[0] * good.grid[1]
    for embeddings in (good.embeddings, good.held_out):
        whiten_in_place(embeddings, cells, matrix)
    return matrix


@one_blas_thread()
def fitted_whitening(embeddings: Any, strength: float) -> npt.NDArray[np.float32]:
    """Learn the matrix from embeddings of good images (N, D), evenly spread rows of them; see ``whitening_matrix``."""
    return whitening_matrix(as_numpy(embeddings[:: -(-len(embeddings) // _SAMPLE)]), strength)


@one_blas_thread()
def whiten(patches: Any, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Apply the matrix: patches (B, h, w, D) -> an array of its own, wherever the patches were.

    Each image is a product of its own, on one thread: what comes out does not depend on the images beside it.

    Cost:   O(B*h*w*D^2) time.
    """
    grids = np.array(as_numpy(patches, "patches"), dtype=np.float32, order="C")
    for grid in grids:
        rows = grid.reshape(-1, grid.shape[-1])
        rows[:] = rows @ matrix
    return grids


def whiten_in_place(embeddings: Any, cells: int, matrix: npt.NDArray[np.float32]) -> None:
    """Apply the matrix to embeddings (N, D) of whole images, ``cells`` rows each, as ``whiten`` does."""
    for start in range(0, len(embeddings), cells):
        rows = embeddings[start : start + cells]
        rows[:] = values_like(rows, whiten(rows[None], matrix)[0])
