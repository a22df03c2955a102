"""How thorough a run is: how many inputs are generated, and how large they may be."""

from __future__ import annotations

from dataclasses import dataclass

from patchcore_conformance.violation import KitError


@dataclass(frozen=True)
class Profile:
    """``examples`` generated inputs a search, ``repeats`` seeds a statistical check; ``rank`` orders the profiles."""

    name: str
    rank: int
    examples: int
    repeats: int


QUICK = Profile("quick", rank=0, examples=15, repeats=1)  # below ten seconds for a part of ordinary speed
STANDARD = Profile("standard", rank=1, examples=60, repeats=2)
THOROUGH = Profile("thorough", rank=2, examples=300, repeats=5)
PROFILES = {profile.name: profile for profile in (QUICK, STANDARD, THOROUGH)}


def profile_named(name: str) -> Profile:
    """Return a profile; KitError lists those that exist."""
    if name not in PROFILES:
        raise KitError(f"no profile is named {name!r}. There are: {', '.join(PROFILES)}.")
    return PROFILES[name]
