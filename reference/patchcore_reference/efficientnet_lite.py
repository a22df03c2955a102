"""EfficientNet-Lite 0, 1 and 2: inverted residual blocks without squeeze-and-excitation, cut off by ReLU6.

Names follow timm: ``efficientnet_lite*`` pads symmetrically (batch norm eps 1e-5), ``tf_efficientnet_lite*`` as
TensorFlow does (eps 1e-3). The published weights were trained the second way and fit both.

Source: Tan and Le, "EfficientNet", ICML 2019, arXiv:1905.11946; Sandler et al., "MobileNetV2", CVPR 2018,
        arXiv:1801.04381; the Lite variants: TensorFlow blog, March 2020.
"""

from __future__ import annotations

from functools import cache
from math import ceil

from patchcore_reference.network_plan import Block, Convolution, Network, Padding, Shortcut

# One row per stage: repeats, kernel, stride of the first block, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32  # the Lite variants scale neither the stem nor the depth of the first and the last stage
_SCALES = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}
_STYLES: dict[str, tuple[Padding, float]] = {"": ("symmetric", 1e-5), "tf_": ("same", 1e-3)}
NAMES = tuple(prefix + name for prefix in _STYLES for name in _SCALES)


def _scaled_channels(channels: int, width: float) -> int:
    """Nearest multiple of 8, but never less than nine tenths of what was asked for."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def _separable(name: str, inputs: int, outputs: int, kernel: int, stride: int, padding: Padding) -> Block:
    depthwise = Convolution(
        name=f"{name}.conv_dw", norm=f"{name}.bn1", in_channels=inputs, out_channels=inputs,
        kernel=kernel, stride=stride, padding=padding, depthwise=True, activation="relu6",
    )  # fmt: skip
    project = Convolution(name=f"{name}.conv_pw", norm=f"{name}.bn2", in_channels=inputs, out_channels=outputs)
    shortcut: Shortcut = "identity" if stride == 1 and inputs == outputs else "none"
    return Block(name=name, steps=(depthwise, project), shortcut=shortcut)


def _inverted(name: str, inputs: int, middle: int, outputs: int, kernel: int, stride: int, padding: Padding) -> Block:
    expand = Convolution(
        name=f"{name}.conv_pw", norm=f"{name}.bn1", in_channels=inputs, out_channels=middle, activation="relu6"
    )
    depthwise = Convolution(
        name=f"{name}.conv_dw", norm=f"{name}.bn2", in_channels=middle, out_channels=middle,
        kernel=kernel, stride=stride, padding=padding, depthwise=True, activation="relu6",
    )  # fmt: skip
    project = Convolution(name=f"{name}.conv_pwl", norm=f"{name}.bn3", in_channels=middle, out_channels=outputs)
    shortcut: Shortcut = "identity" if stride == 1 and inputs == outputs else "none"
    return Block(name=name, steps=(expand, depthwise, project), shortcut=shortcut)


@cache
def efficientnet_lite(name: str) -> Network:
    """The plan of one of the six networks named in ``NAMES``.

    Raises: KeyError for any other name; ``backbones.network`` answers those in a helpful way.
    """
    prefix = "tf_" if name.startswith("tf_") else ""
    width, depth = _SCALES[name.removeprefix(prefix)]
    padding, eps = _STYLES[prefix]
    stem = Convolution(
        name="conv_stem", norm="bn1", in_channels=3, out_channels=_STEM_CHANNELS,
        kernel=3, stride=2, padding=padding, activation="relu6",
    )  # fmt: skip
    blocks, inputs = [Block(name="stem", steps=(stem,))], _STEM_CHANNELS
    for stage, (repeats, kernel, first_stride, expansion, channels) in enumerate(_STAGES):
        outputs = _scaled_channels(channels, width)
        edge = stage in (0, len(_STAGES) - 1)
        for number in range(repeats if edge else ceil(repeats * depth)):
            where, stride = f"blocks.{stage}.{number}", first_stride if number == 0 else 1
            if expansion == 1:
                blocks.append(_separable(where, inputs, outputs, kernel, stride, padding))
            else:
                blocks.append(_inverted(where, inputs, inputs * expansion, outputs, kernel, stride, padding))
            inputs = outputs
    return Network(name=name, blocks=tuple(blocks), eps=eps)
