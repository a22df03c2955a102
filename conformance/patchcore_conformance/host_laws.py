"""H01 to H09: what an adapter that puts PatchCore into a host must keep, whichever parts work behind it.

    from patchcore_conformance.host_laws import HOST_LAWS, HostUnderTest, check_host

    HOST = HostUnderTest(form="rows", kinds=("sampler", "neighbors"), make=..., fit=..., ask=..., again=...)

    @pytest.mark.parametrize("law", HOST_LAWS, ids=str)
    def test_my_host(law):
        complaints = check_host(HOST, [law])
        assert not complaints, str(complaints[0])

The laws stand apart from those of the parts: a host is judged by its author's tests, since it needs the host.
"""

from __future__ import annotations

import random
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import host_checks
from patchcore_conformance.host_under_test import HostUnderTest, Trial
from patchcore_conformance.plugin_doubles import PLAIN, STRICT, doubles
from patchcore_conformance.violation import KitError, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["HOST_LAWS", "Complaint", "HostLaw", "HostUnderTest", "check_host"]


@dataclass(frozen=True)
class HostLaw:
    """One law with its check; ``after`` names the law without which this one says nothing."""

    id: str
    statement: str
    why: str
    seen: str
    mend: str
    check: Callable[[Trial], None]
    after: str = "H01"

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class Complaint:
    """A law that an adapter breaks: what happened, and the arrays that show it."""

    law: HostLaw
    found: str
    evidence: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.law.id}\nlaw:   {self.law.statement}\nfound: {self.found}\nmend:  {self.law.mend}"

    def __repr__(self) -> str:
        return f"<{self.law.id}: {self.found}>"


def check_host(host: HostUnderTest, laws: Iterable[HostLaw | str] | None = None) -> list[Complaint]:
    """Hold an adapter to the host laws, all of them or some, and return what it breaks; nothing is what you want.

    Order:  that of ``HOST_LAWS``. Where H01 is broken the others are not tried; where H02 is, they use plain parts.
    Raises: KitError for a law that does not exist, or where the environment keeps plugins out.
    Cost:   some 60 fits of nine small images, or of 72 rows; the registry of plugins is read twice.
    """
    wanted = [law.id if isinstance(law, HostLaw) else law for law in (HOST_LAWS if laws is None else laws)]
    if unknown := sorted(set(wanted) - {law.id for law in HOST_LAWS}):
        raise KitError(f"there is no host law {unknown[0]!r}. Laws: {', '.join(map(str, HOST_LAWS))}.")
    found: list[Complaint] = []
    with doubles(), _chance_put_back():
        for law in HOST_LAWS:
            broken = {one.law.id for one in found}
            if law.id in wanted and law.after not in broken:
                ways = (PLAIN,) if "H02" in broken else (PLAIN, STRICT)
                found += _complaints(law, host, ways)
    return found


def _complaints(law: HostLaw, host: HostUnderTest, ways: tuple[str, ...]) -> list[Complaint]:
    with tempfile.TemporaryDirectory(prefix="patchcore-host-") as folder:
        try:
            law.check(Trial(host, Path(folder), ways))
        except Violation as broken:
            return [Complaint(law, broken.message, broken.evidence)]
        except Exception as problem:  # noqa: BLE001 - an adapter may raise anything
            return [Complaint(law, _in_words(problem), {"traceback": traceback.format_exc()})]
    return []


def _in_words(problem: Exception) -> str:
    place = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__}: {problem} ({Path(place.filename).name}, line {place.lineno})"


@contextmanager
def _chance_put_back() -> Iterator[None]:
    """Leave the global random states as they were."""
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global state is what is kept
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)  # noqa: NPY002 - the same


HOST_LAWS: tuple[HostLaw, ...] = (
    HostLaw(
        "H01",
        "Each sample has one finite answer, in the order of the samples, and strange ones score apart from good ones.",
        "Whatever else a host shows is made of these numbers.",
        "Scores sorted by size; scores of patches where those of images are asked for.",
        "Return one number a sample, in the order in which samples came.",
        host_checks.answers_belong_to_samples,
        after="",
    ),
    HostLaw(
        "H02",
        "With strict parts in the place of plain ones the answers are the same, within float32's rounding.",
        "Users name any part, and a stranger's part gives what its contract says and nothing more.",
        "Rows taken for int64; distances changed in place; a row's own neighbor expected first among equal ones.",
        "Take arrays as they come: bring them to your dtype, copy before you write, know rows by their numbers.",
        host_checks.strict_parts_give_the_same,
    ),
    HostLaw(
        "H03",
        "Samples are never changed, and may be read-only views that lie otherwise in memory.",
        "They belong to the user, who will use them again; loaders hand out views.",
        "Mean and deviation taken off in place; bytes of an array read without its strides.",
        "Compute into arrays of your own; read arrays by index, never by their memory.",
        host_checks.what_comes_in_stays,
    ),
    HostLaw(
        "H04",
        "A sample's answer depends neither on the samples that are asked about with it nor on their order.",
        "A part must not be judged by those that happened to be photographed beside it.",
        "Scores brought to 0..1 by the least and the largest of the batch.",
        "Normalise by what the fit found, never by what is asked.",
        host_checks.samples_are_judged_alone,
    ),
    HostLaw(
        "H05",
        "A second fit forgets the first.",
        "Frameworks fit one object again and again, in a search over settings for example.",
        "Rows added to the bank that was there; a fit that is skipped since one was done.",
        "Begin each fit with nothing; put what was found in place at its end.",
        host_checks.a_refit_forgets,
    ),
    HostLaw(
        "H06",
        "Saved and loaded, an adapter answers as before, to the last bit where its parts do.",
        "What runs at the line must be what was tried out.",
        "Thresholds left out of the file; rows saved in half precision; an index that cannot be pickled.",
        "Save rows, thresholds and settings as they are; make parts and index anew.",
        host_checks.files_keep_the_answers,
    ),
    HostLaw(
        "H07",
        "Asked before it is fitted, an adapter raises an error that is meant for it.",
        "Answers of an empty memory look like answers; an AttributeError tells nobody what to do.",
        "Zeros from an empty bank; 'NoneType' object has no attribute 'query'.",
        "Look whether there is a bank before anything else, and raise the host's error for that.",
        host_checks.unfitted_use_is_an_error,
    ),
    HostLaw(
        "H08",
        "NaN and infinity are refused, by fit and when asked about, and leave everything as it was.",
        "One broken pixel would make every score of an image NaN, and every comparison with it false.",
        "NaN replaced by 0 in silence; a fit that failed, and left half a bank.",
        "Check what comes before anything changes, or let the parts do so; never repair it.",
        host_checks.what_is_no_number_is_refused,
    ),
    HostLaw(
        "H09",
        "The user's seed decides all that is drawn: the same one gives the same answers, others give others.",
        "A result that cannot be had again cannot be examined.",
        "The global random state used beside the seed; a seed that the host takes and nobody reads.",
        "Hand the seed to the sampler's seed, and draw from a generator of your own.",
        host_checks.the_seed_decides,
    ),
)
