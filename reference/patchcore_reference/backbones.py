"""Images -> mid-level feature maps of a pretrained network, in plain NumPy.

The networks are written down in ``efficientnet_lite`` and ``resnet``; here they are asked for by name, checked against
the weights, and run block by block as far as the last layer that is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from patchcore_reference import efficientnet_lite, resnet
from patchcore_reference.checks import require_finite, require_maps
from patchcore_reference.convolution import Array, activate, convolve, fold_batch_norm, max_pool
from patchcore_reference.errors import EmptyInputError, InputError, ShapeError
from patchcore_reference.network_plan import Block, Convolution, MaxPool, Network

WeightArrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

NAMES = (*efficientnet_lite.NAMES, *resnet.NAMES)


def feature_maps(
    pixels: npt.NDArray[Any], weights: WeightArrays, backbone: str, layers: Sequence[str]
) -> tuple[Array, ...]:
    """Run a backbone and keep the maps of the layers asked for.

    ``weights`` uses timm's names for EfficientNet and torchvision's for ResNet; what is not needed is ignored.

    Shapes: pixels (B, 3, H, W), normalised, H and W of any size from 1 -> float32 (B, C_l, H_l, W_l) per layer.
    Order:  as ``layers`` lists them.
    Raises: InputError for an unknown backbone or layer, a missing or negative-variance weight; ShapeError for pixels or
            a weight of the wrong shape; EmptyInputError without images or layers; NonFiniteError for NaN or infinity.
    Cost:   stops after the deepest layer. Through all layers, in thousands of multiplications an input pixel: Lite0 7,
            Lite1 10, Lite2 11, ResNet-18 36, ResNet-50 81, Wide-ResNet-50-2 227.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.1.
    """
    places = block_indices(backbone, layers)
    require_pixels(pixels)
    plan = network(backbone)
    require_weights(weights, plan, max(places))
    with np.errstate(over="ignore"):  # values past float32's range are refused a line later
        maps, kept = pixels.astype(np.float32), {}
    require_finite(maps, "pixels as float32")
    for place, block in enumerate(plan.blocks[: max(places) + 1]):
        maps = _run(block, maps, weights, plan.eps)
        if place in places:
            kept[place] = maps
    return tuple(kept[place] for place in places)


def network(backbone: str) -> Network:
    """The plan of a backbone.

    Raises: InputError for an unknown name, listing the known ones.
    """
    if backbone in efficientnet_lite.NAMES:
        return efficientnet_lite.efficientnet_lite(backbone)
    if backbone in resnet.NAMES:
        return resnet.resnet(backbone)
    raise InputError(_unknown("backbone", backbone, NAMES))


def layer_names(backbone: str) -> tuple[str, ...]:
    """Every layer that can be asked for: each stage followed by its blocks, in the order of the data."""
    return network(backbone).layer_names


def channels(backbone: str, layers: Sequence[str]) -> tuple[int, ...]:
    """Channels of each layer's map."""
    return tuple(network(backbone).blocks[place].channels for place in block_indices(backbone, layers))


def strides(backbone: str, layers: Sequence[str]) -> tuple[int, ...]:
    """Units: input pixels between two neighbouring values of each layer's map, on either axis."""
    plan = network(backbone)
    products: list[int] = []
    for block in plan.blocks:
        products.append(block.stride * (products[-1] if products else 1))
    return tuple(products[place] for place in block_indices(backbone, layers))


def block_indices(backbone: str, layers: Sequence[str]) -> tuple[int, ...]:
    """Position in the plan of the block whose output each layer is.

    Raises: InputError for an unknown backbone or layer; EmptyInputError when no layer is asked for.
    """
    plan = network(backbone)
    if isinstance(layers, str):
        raise InputError(f"layers is the text {layers!r}, but a list of names is needed: write [{layers!r}].")
    if not len(layers):
        raise EmptyInputError(
            f"no layer of {backbone} is asked for. Name at least one, such as {plan.layer_names[0]!r}."
        )
    for layer in layers:
        if layer not in plan.layer_names:
            raise InputError(_unknown(f"layer of {backbone}", layer, plan.layer_names))
    return tuple(plan.block_index(layer) for layer in layers)


def _unknown(what: str, name: object, known: Sequence[str]) -> str:
    close = get_close_matches(str(name), known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"there is no {what} {name!r}.{hint} Choose one of: {', '.join(known)}."


def require_pixels(pixels: npt.NDArray[Any]) -> None:
    """Refuse all but finite real images with three channels."""
    require_maps(pixels, "pixels")
    if pixels.shape[1] != 3:
        hint = " The colours stand last; move them to the front of each image." if pixels.shape[-1] == 3 else ""
        raise ShapeError(f"pixels have shape {pixels.shape}, but (images, 3, height, width) is needed.{hint}")


def require_weights(weights: WeightArrays, plan: Network, last_block: int) -> None:
    """Refuse weights that lack an array needed up to a block, or have one of another shape."""
    for name, shape in plan.weight_shapes(last_block).items():
        if name not in weights:
            raise InputError(f"the weights lack {name!r}, which {plan.name} needs. Give the weights of that network.")
        if weights[name].shape != shape:
            raise ShapeError(
                f"the weight {name!r} has shape {weights[name].shape}, but {plan.name} needs {shape}. "
                "Give the weights of that network."
            )


def folded(convolution: Convolution, weights: WeightArrays, eps: float) -> tuple[Array, Array]:
    """Weight and bias of a convolution with its batch norm merged into it."""
    gamma, beta, mean, variance = (
        weights[f"{convolution.norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return fold_batch_norm(weights[f"{convolution.name}.weight"], gamma, beta, mean, variance, eps)


def _run(block: Block, maps: Array, weights: WeightArrays, eps: float) -> Array:
    result = maps
    for step in block.steps:
        if isinstance(step, MaxPool):
            result = max_pool(result, step.kernel, step.stride, step.padding)
        else:
            result = _convolved(step, result, weights, eps)
    if isinstance(block.shortcut, Convolution):
        result += _convolved(block.shortcut, maps, weights, eps)
    elif block.shortcut == "identity":
        result += maps
    return activate(result, block.activation)


def _convolved(step: Convolution, maps: Array, weights: WeightArrays, eps: float) -> Array:
    weight, bias = folded(step, weights, eps)
    summed = convolve(maps, weight, bias, stride=step.stride, padding=step.padding, depthwise=step.depthwise)
    return activate(summed, step.activation)
