"""A network's weights: where they come from, whether they are the ones that were meant, and whether they fit."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.tensor_file import as_float32, tensors_in
from patchcore_plugin.weights import PACKAGE, file_bytes, load_weights
from patchcore_reference import efficientnet_lite

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt
    from torch import nn

    from patchcore_plugin.extractors.torch_library import State, TorchLibrary

HUB = "hub"  # the library's own weights, fetched when they are not here yet; "hub:NAME" chooses among several
RANDOM = "random"  # none: drawn from a seed
_COUNTS = "num_batches_tracked"  # of a batch norm; means nothing outside of training


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which weights: a hashable value, equal only while the file behind it is unchanged."""

    library: TorchLibrary
    backbone: str
    weights: str  # "package", "hub", "hub:NAME", "random", or a path
    seed: int
    sha256: str | None  # what was promised, or its beginning
    stamp: tuple[int, int] = (0, 0)

    @property
    def from_hub(self) -> bool:
        """Whether the library's own weights are meant."""
        return self.weights == HUB or self.weights.startswith(f"{HUB}:")


def file_stamp(weights: str) -> tuple[int, int]:
    """Size and last change of the file that a setting names; zeros where it names none that exists."""
    path = Path(weights).expanduser()
    if weights in (PACKAGE, HUB, RANDOM) or "\0" in weights or not path.is_file():
        return 0, 0
    return path.stat().st_size, path.stat().st_mtime_ns


@lru_cache(maxsize=16)
def checksum(source: Source) -> str:
    """SHA-256 of the file; of the values themselves where they are random.

    Raises: WeightsError as ``filled_network``.
    """
    if source.weights == RANDOM:
        return _state_checksum(source.library.initial(source.backbone, source.seed))
    if source.weights == PACKAGE:
        return _packaged(source)[1]
    return _checked_file(source)[1]


def filled_network(source: Source, spare: Collection[str]) -> nn.Module:
    """Build the network on the CPU and put its weights in; those of ``spare`` parts need not be there.

    Raises: WeightsError when the weights are missing, damaged, not the promised ones, or another network's.
    """
    if source.weights == RANDOM:
        network = source.library.initial(source.backbone, source.seed)
        _compare(source, _state_checksum(network), "the random weights")
        return network
    network = source.library.initial(source.backbone, None)
    state, where = _state(source)
    state = source.library.renamed(state, network)
    _require_fit(network, state, source.backbone, where, spare)
    network.load_state_dict(state, strict=False)
    return network


def _state(source: Source) -> tuple[State, str]:
    if source.weights == PACKAGE:
        arrays, _ = _packaged(source)
        return {name: torch.tensor(array) for name, array in arrays.items()}, "the package"
    data, _, where = _checked_file(source)
    return {name: _tensor(array, name, where) for name, array in tensors_in(data, where).items()}, where


def _packaged(source: Source) -> tuple[dict[str, npt.NDArray[Any]], str]:
    if source.backbone not in efficientnet_lite.NAMES:
        raise WeightsError(
            f"no package carries weights for {source.backbone!r}. Name a .pth or .safetensors file in "
            f"extractor.weights; or let {source.library.name} fetch its own with extractor.weights = {HUB!r}."
        )
    found = load_weights(source.backbone, PACKAGE)
    _compare(source, found.sha256, found.origin)
    return dict(found.arrays), found.sha256


def _checked_file(source: Source) -> tuple[bytes, str, str]:
    path = Path(source.weights).expanduser()
    if source.from_hub:
        path = source.library.hub_file(source.backbone, source.weights.partition(":")[2])
    data = file_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    promised = re.search(r"-([0-9a-f]{8,64})\.[a-z]+$", path.name) if source.from_hub else None
    if promised and not sha256.startswith(promised[1]):
        raise WeightsError(
            f"{path} is damaged: its SHA-256 begins {sha256[:8]}, but its name promises {promised[1]}. Delete it."
        )
    _compare(source, sha256, str(path))
    return data, sha256, path.name


def _compare(source: Source, sha256: str, where: str) -> None:
    if source.sha256 is not None and not sha256.startswith(source.sha256):
        raise WeightsError(
            f"{where} has SHA-256 {sha256}, but extractor.sha256 promises {source.sha256}. Fetch the file again, or "
            "correct extractor.sha256 if these are the weights you mean."
        )


def _tensor(array: npt.NDArray[Any], name: str, where: str) -> torch.Tensor:
    if array.dtype.names or array.dtype.kind == "f":
        return torch.tensor(as_float32(array, name, where))
    return torch.tensor(array.astype(array.dtype.newbyteorder("=")))


def _state_checksum(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _require_fit(network: nn.Module, state: State, backbone: str, where: str, spare: Collection[str]) -> None:
    """Refuse another network's weights.

    A file may lack a whole ``spare`` part behind the last layer, such as a classifier, and may bring one that the
    network was built without. Within a part they have to agree name by name and shape by shape.
    """
    own = network.state_dict()
    brought = {name.partition(".")[0] for name in state}
    absent = [name for name in own if name not in state and not name.endswith(_COUNTS)]
    lacking = [name for name in absent if name.partition(".")[0] not in set(spare) - brought]
    if lacking:
        raise WeightsError(
            f"{where} lacks {len(lacking)} of the {len(own)} arrays of {backbone}, the first is {lacking[0]!r}; it "
            f"holds {', '.join(list(state)[:3]) or 'nothing'}, ... Give weights of {backbone} under its own names."
        )
    for name in own.keys() & state.keys():
        if own[name].shape != state[name].shape:
            raise WeightsError(
                f"{where} holds {name} with shape {tuple(state[name].shape)}, but {backbone} needs "
                f"{tuple(own[name].shape)}. Give the weights of that very network."
            )
    foreign = [name for name in state if name not in own and _has_values(network, _nearest_module(network, name))]
    if foreign:
        raise WeightsError(
            f"{where} holds {len(foreign)} array(s) that {backbone} has no place for, the first is {foreign[0]!r}: "
            f"they are another network's. Give weights of {backbone}."
        )


def _nearest_module(network: nn.Module, name: str) -> str:
    modules = dict(network.named_modules())
    while name not in modules:
        name = name.rpartition(".")[0]
    return name


def _has_values(network: nn.Module, module: str) -> bool:
    """Whether a module has values of its own; beside the whole network there may be anything."""
    return bool(module) and bool(network.get_submodule(module).state_dict())
