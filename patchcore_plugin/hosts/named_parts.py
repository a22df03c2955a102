"""Parts and seeds as the parameters of a host's estimator: plain values, checked when the estimator is fitted."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin import components
from patchcore_plugin.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TARGETS = ("keep", "count", "megabytes", "radius")  # options of samplers that say how many rows are kept


def sampler_options(
    name: str, options: Mapping[str, Any] | None, ratio: float | None, seed: int, usual: float | None = None
) -> dict[str, Any]:
    """Return a sampler's own options, with the host's two, a share of rows and a seed, where the sampler knows them.

    Without a ratio the share is ``usual``; without that, what the sampler has by default.

    Raises: ConfigError where a ratio is given and the sampler keeps no share, or is told otherwise by its options;
            UnknownComponentError.
    """
    known = components.option_names("sampler", name)
    given = dict(options or {})
    told = [target for target in _TARGETS if given.get(target) is not None]
    if ratio is not None and "keep" not in known:
        raise ConfigError(f"coreset_ratio is {ratio!r}, but sampler {name!r} keeps no share of rows. Leave it at None.")
    if ratio is not None and told:
        raise ConfigError(
            f"coreset_ratio is {ratio!r} and the sampler's options set {told[0]}, but only one can say how many rows "
            "are kept. Drop one."
        )
    share = usual if ratio is None else ratio
    if share is not None and "keep" in known and not told:
        given["keep"] = share
    if "seed" in known:
        given.setdefault("seed", seed)
    return given


def seed_of(random_state: Any) -> int:
    """Turn what hosts take for randomness into a seed: a whole number as it is, None into a fresh one.

    A ``RandomState`` or a ``Generator`` is asked for a number, so it gives another one each time, as hosts expect.
    """
    if isinstance(random_state, Integral):
        return int(random_state)
    source = np.random.default_rng() if random_state is None else random_state
    draw = getattr(source, "integers", getattr(source, "randint", None))
    if draw is None:
        raise ConfigError(
            f"random_state is {random_state!r}, but a whole number, None or a random generator is needed."
        )
    return int(draw(2**31 - 1))


def require_share(value: Any, name: str, most: float) -> float:
    """Refuse what is no number above 0 and at most ``most``."""
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = np.nan
    if isinstance(value, bool) or not 0 < share <= most:
        raise ConfigError(f"{name} is {value!r}, but a number above 0 and at most {most} is needed, such as 0.1.")
    return share
