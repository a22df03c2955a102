"""JUnit XML, as CI servers show it: a test suite a part, a test case a law."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from patchcore_conformance.report import KIT
from patchcore_conformance.telling import level_in_words, result_in_words
from patchcore_conformance.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from patchcore_conformance.report import Report
    from patchcore_conformance.result import Result

# How a CI server shows each verdict; what is not here has passed.
_TAGS = {
    Verdict.FAIL: "failure",
    Verdict.XPASS: "failure",
    Verdict.ERROR: "error",
    Verdict.VACUOUS: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.XFAIL: "skipped",
    Verdict.NOT_CLAIMED: "skipped",
    Verdict.BLOCKED: "skipped",
    Verdict.ENV: "skipped",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report, folder: Path) -> list[Path]:
    """Write junit.xml."""
    path = folder / "junit.xml"
    root = ET.Element("testsuites")
    root.append(_suite(report))
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return [path]


def _suite(report: Report) -> ET.Element:
    tags = [_TAGS.get(result.verdict, "") for result in report.results] + ["failure"] * len(report.complaints)
    suite = ET.Element(
        "testsuite",
        name=_text(f"conformance of {report.kind} {report.subject}"),
        tests=str(len(tags)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=f"{sum(result.seconds for result in report.results):.3f}",
        timestamp=report.made,
    )
    facts = {"level": level_in_words(report), "spec": report.claims.spec, "kit": KIT, "registry": report.laws_digest}
    properties = ET.SubElement(suite, "properties")
    for name, value in {**facts, "profile": report.profile, "seed": report.seed, **report.env}.items():
        ET.SubElement(properties, "property", name=name, value=_text(str(value)))
    suite.extend(_case(report, result) for result in report.results)
    for complaint in report.complaints:
        case = ET.SubElement(suite, "testcase", classname="expected failures", name=_text(complaint), time="0")
        ET.SubElement(case, "failure", message=_text(complaint))
    return suite


def _case(report: Report, result: Result) -> ET.Element:
    law = report.law(result.id)
    name = _text(f"{result.id} {law.statement}")
    case = ET.Element("testcase", classname=_text(report.subject), name=name, time=f"{result.seconds:.3f}")
    tag = _TAGS.get(result.verdict)
    if tag == "skipped":
        reason = f": {result.reason}" if result.reason else ""
        ET.SubElement(case, tag, message=_text(f"{result.verdict.value}{reason}: {result.message}"))
    elif tag:
        told = ET.SubElement(case, tag, message=_text(result.message), type=result.verdict.value)
        told.text = _text("\n".join(result_in_words(result, law)))
    return case


def _text(text: str) -> str:
    """Take out what XML cannot hold, such as the codes of a coloured traceback."""
    return _NOT_XML.sub("?", text)
