"""What a part promises: a claim chooses which laws apply and how strictly, and never excuses from one that applies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "1.0"  # the version of the laws; apart from the kit's own version
KINDS = ("extractor", "aggregator", "sampler", "neighbors", "scores", "maps", "plugin", "pipeline")

# From the least that a kind may promise to the most.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "sampler": ("subset", "approx", "exact"),
    "neighbors": ("approx", "exact"),
    "extractor": ("api", "deterministic", "covariant"),
    "aggregator": ("api", "deterministic", "covariant"),
    "scores": ("exact",),
    "maps": ("exact",),
    "plugin": ("exact",),
    "pipeline": ("exact",),
}
_PLAIN_READING = {
    "sampler": "subset",
    "neighbors": "exact",
    "extractor": "deterministic",
    "aggregator": "deterministic",
}


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The promises of one part.

    level            how much of the kind's laws, weakest to strongest as ``LEVELS`` lists them; None: the contract's
                     plain reading of the kind.
    arith            how distances are computed: "E0" by differences, "E1-centred" as |x|^2 - 2xy + |y|^2 after taking
                     off the bank's mean, "E1" the same without centring, "lattice" for whole numbers only.
    dtype            the arithmetic that is computed in: "float64", "float32", "float16", "bfloat16".
    deterministic    the same input gives the same bits.
    batch_invariant  a query's answer has the same bits whatever else is asked with it.
    serialisable     pickle and deepcopy give an equal part.
    thread_safe      calls from several threads at once are as good as one after the other.
    init             sampler, exact: how the first row is chosen: "random" by the seed, "fixed", or "farthest".
    anchors          sampler: rows that count as chosen from the start without being in the answer; exact allows none.
    prefix_stable    sampler: fewer rows are a beginning of more rows.
    factor           sampler, approx: at most this times the greedy coverage radius.
    recall, ratio    neighbors, approx: share of true neighbours found; mean distance over the true one.
    max_k            neighbors: the largest k that is answered; None for all of the bank.
    padding          aggregator: what lies beyond the edge: "zero" or "valid".
    linear, channelwise   aggregator: sums map to sums; no value is made of two channels.
    even             aggregator, linear and channelwise: each cell of the window counts alike, as in a mean.
    resize           maps: how patches become pixels: "bilinear", or "nearest": drawn as squares.
    receptive_field  extractor: pixels across that one value of the coarsest layer depends on; None: not stated.
    """

    spec: str = SPEC
    level: str | None = None
    arith: Literal["E0", "E1-centred", "E1", "lattice"] = "E1"
    dtype: Literal["float64", "float32", "float16", "bfloat16"] = "float32"
    deterministic: bool = True
    batch_invariant: bool = False
    serialisable: bool = False
    thread_safe: bool = False
    init: Literal["random", "fixed", "farthest"] = "random"
    anchors: int = 0
    prefix_stable: bool = False
    factor: float = 1.5
    recall: float = 0.95
    ratio: float = 1.1
    max_k: int | None = None
    padding: Literal["zero", "valid"] = "zero"
    linear: bool = False
    channelwise: bool = False
    even: bool = True
    resize: Literal["bilinear", "nearest"] = "bilinear"
    receptive_field: int | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any] | Claims | None, kind: str) -> Claims:
        """Make claims for a kind, with its plain reading where no level is given.

        Raises: KitError for an unknown kind, claim or level, listing those that exist.
        """
        if kind not in KINDS:
            raise KitError(f"no kind is named {kind!r}. There are: {', '.join(KINDS)}.")
        claims = given if isinstance(given, Claims) else cls(**_known(given or {}))
        _require_values(claims)
        level = claims.level or _PLAIN_READING.get(kind, "exact")
        if level not in LEVELS[kind]:
            raise KitError(f"a {kind} has no level {level!r}. There are: {', '.join(LEVELS[kind])}.")
        return replace(claims, level=level)

    def at_least(self, level: str, kind: str) -> bool:
        """Say whether this much is claimed."""
        order = LEVELS[kind]
        return self.level is not None and order.index(self.level) >= order.index(level)

    def to_dict(self) -> dict[str, Any]:
        """Return the claims as plain values."""
        return asdict(self)


@cache
def choices() -> dict[str, tuple[Any, ...]]:
    """Return, for each claim, the values or else the types that it may have."""
    hints = get_type_hints(Claims)
    return {field.name: get_args(hints[field.name]) or (hints[field.name],) for field in fields(Claims)}


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in choices():
            raise KitError(f"no claim is named {name!r}. There are: {', '.join(sorted(choices()))}.")
    return dict(given)


def _require_values(claims: Claims) -> None:
    for name, allowed in choices().items():
        value = getattr(claims, name)
        if not any(value == one if isinstance(one, str) else _is_a(value, one) for one in allowed):
            told = ", ".join(one if isinstance(one, str) else one.__name__.replace("Type", "") for one in allowed)
            raise KitError(f"the claim {name} is {value!r}, but it needs to be one of: {told}.")
    if claims.spec != SPEC:
        raise KitError(f"the claims name the laws of version {claims.spec}, but this kit has version {SPEC}.")


def _is_a(value: Any, kind: type) -> bool:
    """Say whether a value is of a type, where whole numbers are real numbers and truth values are no numbers."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
