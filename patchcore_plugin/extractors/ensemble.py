"""Several extractors as one: the layers of all members side by side, as the paper's ensembles have them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patchcore_plugin.errors import ConfigError
from patchcore_plugin.extractors.finest_first import finest_first, require_shrinking, require_strides, strides_of
from patchcore_plugin.inner_parts import as_text, created, written_out

if TYPE_CHECKING:
    from patchcore_plugin.arrays import FeatureMap, Pixels
    from patchcore_plugin.contracts import FeatureExtractor

_EXAMPLE = '[{name = "numba-cnn"}, {name = "numba-cnn", backbone = "efficientnet_lite1"}]'


def _packaged_networks() -> tuple[dict[str, Any], ...]:
    return tuple({"name": "numba-cnn", "backbone": f"efficientnet_lite{number}"} for number in (0, 1, 2))


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Members look at the same pixels; their maps come out together, finest grid first, for one aggregator to join.

    ``members`` lists extractors as the configuration does: each a table with ``name`` and the extractor's own options;
    by default EfficientNet-Lite 0, 1 and 2, whose weights are packages and which need no torch.
    All members get pixels with the mean and standard deviation of section ``images``: join networks trained with the
    same ones.

    Raises: ConfigError for no members, one that is no such table, one that is there twice, or one that does not tell
            its ``strides``; and whatever the creation of a member raises.
    """

    members: tuple[dict[str, Any], ...] = field(default_factory=_packaged_networks)
    _parts: tuple[FeatureExtractor, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.members, list | tuple) or not self.members:
            raise ConfigError(f"members is {self.members!r}, but a list of extractors is needed, such as {_EXAMPLE}.")
        parts = tuple(_member(table, number) for number, table in enumerate(self.members))
        members = tuple(written_out(*pair) for pair in zip(self.members, parts, strict=True))
        twice = [member for member, count in Counter(map(as_text, members)).items() if count > 1]
        if twice:
            raise ConfigError(f"the extractor {twice[0]} is twice in members. Name each once.")
        object.__setattr__(self, "_parts", parts)
        object.__setattr__(self, "members", members)

    def __hash__(self) -> int:
        return hash(as_text(self.members))

    @property
    def layers(self) -> tuple[str, ...]:
        """``member:layer`` for each map; a member goes by its backbone, or by its name where it has none."""
        names = [str(member.get("backbone", member["name"])) for member in self.members]
        called = [name if names[:i].count(name) == 0 else f"{name}#{names[:i].count(name) + 1}"
                  for i, name in enumerate(names)]  # fmt: skip
        return tuple(f"{called[member]}:{self._parts[member].layers[layer]}" for member, layer in self._order())

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each layer, in the order of ``layers``."""
        return tuple(self._parts[member].channels[layer] for member, layer in self._order())

    @property
    def strides(self) -> tuple[float, ...]:
        """Input pixels between two values of each layer's map."""
        return tuple(strides_of(self._parts[member])[layer] for member, layer in self._order())

    @property
    def weights_sha256(self) -> str:
        """One checksum made of the members' own."""
        found = [str(getattr(part, "weights_sha256", None)) for part in self._parts]
        return hashlib.sha256(" ".join(found).encode()).hexdigest()

    def extract(self, pixels: Pixels) -> tuple[FeatureMap, ...]:
        """Return the maps of all members, as ``FeatureExtractor`` promises; each of its member's own kind.

        Raises: ShapeError where members round the size of an image differently, so that a finer grid would come later.
        """
        maps = [part.extract(pixels) for part in self._parts]
        joined = tuple(maps[member][layer] for member, layer in self._order())
        require_shrinking(
            joined,
            self.layers,
            f"Give images whose height and width are multiples of {max(self.strides):g}, "
            "or list the first one's member earlier.",
        )
        return joined

    def _order(self) -> list[tuple[int, int]]:
        return finest_first([strides_of(part) for part in self._parts])


def _member(table: Any, number: int) -> FeatureExtractor:
    part: FeatureExtractor = created("extractor", table, f"members[{number}]", _EXAMPLE)
    require_strides(part, f"members[{number}], {table['name']!r},")
    return part
