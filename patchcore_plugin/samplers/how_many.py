"""How many rows a sampler keeps: a fraction of what comes in, or a number; for some also megabytes, or a radius."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_reference.checks import require_count, require_whole
from patchcore_reference.coreset import rows_to_keep

_VALUE_BYTES = 4  # a memory bank holds float32


@dataclass(frozen=True, kw_only=True)
class HowMany:
    """Settings that samplers share: ``count`` rows where it is given, else the fraction ``keep`` (at least one row)."""

    keep: float = 0.01
    count: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.keep, bool) or not isinstance(self.keep, Real) or not 0 < self.keep <= 1:
            raise ConfigError(
                f"sampler: keep is {self.keep!r}, but a fraction above 0 and at most 1 is needed, such as 0.01. "
                "Set count instead to ask for a number of rows."
            )
        if self.count is not None:
            require_setting(self.count, "count", least=1)

    def how_many(self, total: int) -> int:
        """Number of rows to keep out of ``total``; TooFewRowsError when ``count`` is larger."""
        if self.count is None:
            return rows_to_keep(total, float(self.keep))
        require_count(self.count, total, "count")
        return self.count


@dataclass(frozen=True, kw_only=True)
class HowFar(HowMany):
    """Two more targets: at most one of ``count``, ``megabytes`` and ``radius`` takes the place of ``keep``.

    ``megabytes`` (of 10^6 bytes) is the size of the memory bank. ``radius`` keeps as few rows as greedy picking needs
    until every embedding lies within that distance of a kept one.
    """

    megabytes: float | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("megabytes", "radius"):
            require_positive(getattr(self, name), name)
        given = [name for name in ("count", "megabytes", "radius") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(
                f"sampler: {' and '.join(given)} are both given, but only one target can be met. Keep one."
            )

    def at_most(self, total: int, width: int) -> int:
        """Number of rows out of ``total`` that may be kept; all of them where a radius decides.

        Raises: TooFewRowsError when ``count`` is larger than ``total``; ConfigError when not one row fits in
                ``megabytes``.
        """
        if self.radius is not None:
            return total
        if self.megabytes is None:
            return self.how_many(total)
        rows = int(self.megabytes * 1e6 // (_VALUE_BYTES * width))
        if rows == 0:
            raise ConfigError(
                f"sampler: megabytes is {self.megabytes}, but one row of {width} values takes "
                f"{_VALUE_BYTES * width / 1e6:g}. Allow more."
            )
        return min(rows, total)


def require_setting(value: object, name: str, least: int) -> None:
    """Refuse a setting that is no whole number of at least ``least``."""
    try:
        require_whole(value, name, least)
    except ShapeError as problem:
        raise ConfigError(f"sampler: {problem}") from None


def require_positive(value: object, name: str) -> None:
    """Refuse a setting that is given but is no finite number above 0."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise ConfigError(f"sampler: {name} is {value!r}, but a number above 0 is needed, or nothing.")
