"""Memory banks and queries for benchmarks of searches: greedy coresets of real features, and images not in them."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
from real_features import IMAGE_COUNT, LAYERS, NETWORKS, chosen_images, features_of, joined_features

from patchcore_plugin import components

NARROW = {"networks": ("efficientnet_lite0",), "layers": ("blocks.2", "blocks.4")}  # the default settings: 152 values
PATCHES = 784  # of an image
MOST_ROWS = 16_385


def bank_of(arguments, rows, networks=NETWORKS, layers=LAYERS):
    """The first rows (M, D) of a greedy coreset of all patches, which is chosen once and kept in a temporary file."""
    embeddings = features_of(arguments, networks=networks, layers=layers)
    known = hashlib.sha256(np.ascontiguousarray(embeddings[::1009]).tobytes()).hexdigest()[:16]
    stored = Path(tempfile.gettempdir()) / f"patchcore-bank-{known}-{MOST_ROWS}.npy"
    if not stored.exists():
        sampler = "pruned-greedy" if "pruned-greedy" in components.names("sampler") else "numba-greedy"
        chosen = components.create("sampler", sampler, keep=MOST_ROWS / len(embeddings)).select(embeddings)
        np.save(stored, np.asarray(chosen))
    return embeddings[np.load(stored)[:rows]]


def queries_of(arguments, images, networks=NETWORKS, layers=LAYERS):
    """The patches of some images that the bank was not chosen from, image by image: (784, D) each."""
    used = set(chosen_images(arguments.images, IMAGE_COUNT))
    others = [image for image in chosen_images(arguments.images, 2 * IMAGE_COUNT) if image not in used]
    if len(others) < images:
        raise SystemExit(f"more than {IMAGE_COUNT + images} images are needed, so that some are not in the bank.")
    embeddings = joined_features(others[:: len(others) // images][:images], networks, layers)
    return [np.ascontiguousarray(part) for part in embeddings.reshape(images, PATCHES, -1)]
