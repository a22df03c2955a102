"""ResNet-18, ResNet-50 and Wide-ResNet-50-2, with the stride on the 3x3 convolution as torchvision has it.

Source: He et al., "Deep Residual Learning", CVPR 2016, arXiv:1512.03385; Zagoruyko and Komodakis, "Wide Residual
        Networks", BMVC 2016, arXiv:1605.07146.
"""

from __future__ import annotations

from functools import cache

from patchcore_reference.network_plan import Activation, Block, Convolution, MaxPool, Network, Shortcut

# Blocks per stage; output channels of a stage in units of its base; inner channels in the same unit; bottleneck or not.
_VARIANTS = {
    "resnet18": ((2, 2, 2, 2), 1, 1, False),
    "resnet50": ((3, 4, 6, 3), 4, 1, True),
    "wide_resnet50_2": ((3, 4, 6, 3), 4, 2, True),
}
_BASES = (64, 128, 256, 512)
NAMES = tuple(_VARIANTS)


def _step(
    block: str, number: int, inputs: int, outputs: int, kernel: int, stride: int = 1, activation: Activation = "relu"
) -> Convolution:
    return Convolution(
        name=f"{block}.conv{number}", norm=f"{block}.bn{number}", in_channels=inputs, out_channels=outputs,
        kernel=kernel, stride=stride, activation=activation,
    )  # fmt: skip


def _residual(name: str, inputs: int, middle: int, outputs: int, stride: int, *, bottleneck: bool) -> Block:
    steps: tuple[Convolution, ...]
    if bottleneck:
        steps = (
            _step(name, 1, inputs, middle, 1),
            _step(name, 2, middle, middle, 3, stride),
            _step(name, 3, middle, outputs, 1, activation="none"),
        )
    else:
        steps = (
            _step(name, 1, inputs, middle, 3, stride),
            _step(name, 2, middle, outputs, 3, activation="none"),
        )
    shortcut: Shortcut | Convolution = "identity"
    if stride != 1 or inputs != outputs:
        shortcut = Convolution(
            name=f"{name}.downsample.0", norm=f"{name}.downsample.1", in_channels=inputs, out_channels=outputs,
            stride=stride,
        )  # fmt: skip
    return Block(name=name, steps=steps, shortcut=shortcut, activation="relu")


@cache
def resnet(name: str) -> Network:
    """The plan of one of the networks named in ``NAMES``.

    Raises: KeyError for any other name; ``backbones.network`` answers those in a helpful way.
    """
    repeats, widening, inner, bottleneck = _VARIANTS[name]
    stem = Convolution(name="conv1", norm="bn1", in_channels=3, out_channels=64, kernel=7, stride=2, activation="relu")
    blocks, inputs = [Block(name="stem", steps=(stem, MaxPool(kernel=3, stride=2)))], 64
    for stage, (count, base) in enumerate(zip(repeats, _BASES, strict=True)):
        outputs = base * widening
        for number in range(count):
            stride = 2 if number == 0 and stage > 0 else 1
            where = f"layer{stage + 1}.{number}"
            blocks.append(_residual(where, inputs, base * inner, outputs, stride, bottleneck=bottleneck))
            inputs = outputs
    return Network(name=name, blocks=tuple(blocks), eps=1e-5)
