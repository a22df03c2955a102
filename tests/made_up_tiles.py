"""A small data set in the layout of the magnetic tiles: gray noise, with a bright bar where a tile is cracked."""

from __future__ import annotations

import numpy as np
from made_up_images import save

SIZE = (40, 56)
# A bar in the middle of the tile is easy to find; one in the corner is faint.
BARS = {"MT_Crack": (slice(10, 30), slice(20, 26), 90), "MT_Blowhole": (slice(2, 6), slice(2, 6), 6)}


def tiles(root, good=10, bad=3):
    """Write ``good`` good tiles and ``bad`` of each defect, masks beside them; give the folder."""
    rng = np.random.default_rng(0)
    for i in range(good):
        _save(root / "MT_Free" / "Imgs", f"free{i}", _noise(rng), np.zeros(SIZE, np.uint8))
    for kind, (rows, columns, brighter) in BARS.items():
        for i in range(bad):
            image, mask = _noise(rng), np.zeros(SIZE, np.uint8)
            image[rows, columns] += brighter
            mask[rows, columns] = 255
            _save(root / kind / "Imgs", f"{kind[3:].lower()}{i}", image, mask)
    return root


def _noise(rng):
    return rng.integers(90, 110, SIZE).astype(np.uint8)


def _save(folder, name, image, mask):
    folder.mkdir(parents=True, exist_ok=True)
    save(image, folder / f"{name}.jpg", quality=95)
    save(mask, folder / f"{name}.png")
