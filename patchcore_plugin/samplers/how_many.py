"""How many rows a sampler keeps: a fraction of what comes in, or a number."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_reference.checks import require_count, require_whole
from patchcore_reference.coreset import rows_to_keep


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


def require_setting(value: object, name: str, least: int) -> None:
    """Refuse a setting that is no whole number of at least ``least``."""
    try:
        require_whole(value, name, least)
    except ShapeError as problem:
        raise ConfigError(f"sampler: {problem}") from None
