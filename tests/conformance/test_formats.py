"""Reports as files: JSON that holds everything, JUnit XML, Markdown, and a badge."""

from __future__ import annotations

import json
from datetime import date
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_up_laws import KIND, Crashing, Doubler, Forgetful

from patchcore_conformance.engine import run
from patchcore_conformance.evidence import described, fingerprint, flattened, literal, save
from patchcore_conformance.expected import Expectations, Expected
from patchcore_conformance.formats import badge
from patchcore_conformance.formats.json_report import read
from patchcore_conformance.violation import KitError

ALL = ("json", "junit", "md", "badge")


def test_json_holds_the_run_the_subject_its_claims_and_each_check(three_laws, tmp_path):
    report = run(KIND, Forgetful, seed=5)
    path, _ = report.write(tmp_path)
    content = json.loads(path.read_text())
    assert (content["registry"], content["made"]) == (report.laws_digest, report.made)
    assert {name: content[name] for name in ("schema", "spec", "outcome", "exit_code", "seed", "profile")} == {
        "schema": 1,
        "spec": "1.0",
        "outcome": "not conformant",
        "exit_code": 1,
        "seed": 5,
        "profile": "quick",
    }
    assert content["subject"]["factory"] == "made_up_laws:Forgetful"
    assert content["claims"]["level"] == "exact"
    assert content["counts"] == {"PASS": 1, "FAIL": 1, "NOT_CLAIMED": 1}
    assert {"python", "numpy", "blas"} <= set(content["env"])
    assert content["loading_seconds"] >= 0
    one, two, three = content["checks"]
    assert (one["id"], one["verdict"], one["level"], one["sensitivity"], one["worst_margin"]) == (
        "T01",
        "PASS",
        "core",
        1.0,
        0.0,
    )
    assert (two["verdict"], two["evidence"]["numbers"]["shape"], two["arrays"]) == ("FAIL", [3], "evidence/T02.npz")
    assert two["evidence"]["numbers"]["literal"] == "np.array([10.0, 20.0, 30.0], dtype='float32')"
    assert two["replay"] == f"patchcore-conformance replay {path} T02"
    assert (three["verdict"], three["level"]) == ("NOT_CLAIMED", "serialisable")


def test_failing_arrays_are_kept_and_those_of_an_earlier_run_go(three_laws, tmp_path):
    files = run(KIND, Forgetful).write(tmp_path)
    kept = tmp_path / "evidence" / "T02.npz"
    assert files == [tmp_path / "report.json", kept]
    with np.load(kept) as found:
        assert sorted(found.files) == ["answer", "numbers"]
        assert found["numbers"].tolist() == [10, 20, 30]
    run(KIND, Doubler).write(tmp_path)
    assert not kept.exists()


def test_junit_counts_failures_errors_and_what_was_left_out(three_laws, tmp_path):
    run(KIND, Forgetful).write(tmp_path / "one", ["junit"])
    run(KIND, Crashing).write(tmp_path / "two", ["junit"])
    one, two = (ET.parse(tmp_path / name / "junit.xml").getroot().find("testsuite") for name in ("one", "two"))  # noqa: S314
    assert [one.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    assert [two.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "0", "2", "1"]
    (failure,) = one.iter("failure")
    assert failure.get("message").startswith("not doubled")
    assert "numbers = np.array([10.0, 20.0, 30.0]" in failure.text
    assert [case.get("name") for case in one.iter("testcase")] == ["T01 T01 holds.", "T02 T02 holds.", "T03 T03 holds."]


def test_junit_counts_complaints_and_survives_what_xml_cannot_hold(add_law, tmp_path):
    add_law("T01", lambda ctx: ctx.broken("red \x1b[31m and \x00 <&> \ud800"))
    expect = Expectations((Expected("T9", "gone"),), "expect.toml", date(2030, 1, 1))
    run(KIND, Doubler, expect=expect).write(tmp_path, ["junit"])
    suite = ET.parse(tmp_path / "junit.xml").getroot().find("testsuite")  # noqa: S314
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    messages = [failure.get("message") for failure in suite.iter("failure")]
    assert messages == ["red ?[31m and ? <&> ?", "expect.toml: no law of this kind is named T9"]


def test_markdown_shows_the_level_each_law_what_is_not_claimed_and_the_failure(three_laws, tmp_path):
    run(KIND, Forgetful).write(tmp_path, ["md"])
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# scores `made_up_laws:Forgetful`: not conformant\n")
    assert "| T01 | PASS | 0 | 1 | T01 holds. |" in text
    assert "- T03: needs the promise: serialisable" in text
    assert "## T02 FAIL" in text
    assert "--only T02" in text


def test_markdown_cells_hold_any_text(add_law, tmp_path):
    add_law("T01", statement="|x| <= 1\nholds")
    run(KIND, Doubler).write(tmp_path, ["md"])
    assert "\\|x\\| &lt;= 1 holds |" in (tmp_path / "report.md").read_text()


def test_the_badge_shows_the_level_that_is_held(three_laws, tmp_path):
    run(KIND, Doubler).write(tmp_path, ["badge"])
    endpoint = json.loads((tmp_path / "badge.json").read_text())
    assert endpoint == {
        "schemaVersion": 1,
        "label": "patchcore conformance",
        "message": "scores exact",
        "color": "brightgreen",
    }
    svg = ET.parse(tmp_path / "badge.svg").getroot()  # noqa: S314
    assert svg.get("aria-label") == "patchcore conformance: scores exact"


def test_the_badge_hides_neither_exceptions_nor_failures(three_laws, add_law):
    assert badge.as_endpoint(run(KIND, Doubler))["color"] == "lightgrey"  # nothing was checked
    add_law("T02", lambda ctx: ctx.broken("no"))
    failed = run(KIND, Doubler)
    expect = Expectations((Expected("T02", "known"),))
    excused = run(KIND, Doubler, expect=expect)
    found = [(badge.message(report), badge.as_endpoint(report)["color"]) for report in (failed, excused)]
    assert found == [("scores not conformant", "red"), ("scores exact, with exceptions", "yellow")]


def test_all_formats_are_written_once_each_and_unknown_ones_refused_before_anything_is(three_laws, tmp_path):
    report = run(KIND, Doubler)
    files = report.write(tmp_path / "all", [*ALL, "json"])
    assert [file.name for file in files] == ["report.json", "junit.xml", "report.md", "badge.svg", "badge.json"]
    with pytest.raises(KitError, match=r"no format is named 'xml'\. There are: json, junit, md, badge"):
        report.write(tmp_path / "none", ["json", "xml"])
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_is_said(three_laws, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match="the report cannot be written to"):
        run(KIND, Doubler).write(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "cannot be read"), ("[]", "lists no checks"), ('{"checks": [], "schema": 99}', "has schema 99")],
)
def test_what_is_no_report_is_refused(tmp_path, text, told):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(KitError, match=told):
        read(tmp_path / "report.json")


@given(
    arrays.arrays(
        st.sampled_from(["float16", "float32", "float64", "int32", "uint8", "bool", ">f4"]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_a_literal_makes_the_same_array_to_the_last_bit(array):
    again = eval(literal(array), {"np": np})  # noqa: S307 - what a reader of the report does
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert np.array_equal(again, array, equal_nan=array.dtype.kind == "f")


def test_large_arrays_have_no_literal_but_a_fingerprint_that_does_not_ask_how_they_lie():
    array = np.arange(80.0).reshape(8, 10)
    found = described({"rows": array})["rows"]
    assert "literal" not in found
    assert found["digest"] == fingerprint(np.asfortranarray(array)) == fingerprint(array[:, ::-1][:, ::-1])
    assert found["digest"] not in {fingerprint(array + 1), fingerprint(array.reshape(10, 8)), fingerprint(-array)}


def test_evidence_of_any_make_becomes_plain_data(tmp_path):
    class Strange:
        def __repr__(self):
            return "<strange>"

    evidence = {
        "pair": (np.zeros(2), np.ones(1)),
        "told": {"why": "x"},
        "sizes": (2, 3),
        "worst": np.float32("nan"),
        "count": np.int64(3),
        "who": Strange(),
        "file": np.array([1]),
        "objects": np.array([None]),
    }
    assert list(flattened(evidence)) == [
        "pair_0",
        "pair_1",
        "told_why",
        "sizes",
        "worst",
        "count",
        "who",
        "file",
        "objects",
    ]
    found = described(evidence)
    assert (found["worst"], found["count"], found["who"], found["sizes"]) == ("nan", 3, "<strange>", "(2, 3)")
    json.dumps(found, allow_nan=False)
    assert save(evidence, tmp_path / "evidence.npz")
    with np.load(tmp_path / "evidence.npz") as kept:
        assert sorted(kept.files) == ["file", "pair_0", "pair_1"]
    assert not save({"who": Strange()}, tmp_path / "nothing.npz")
    assert not (tmp_path / "nothing.npz").exists()
