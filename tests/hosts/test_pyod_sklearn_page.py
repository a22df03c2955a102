"""What docs/hosts.md says of PyOD and scikit-learn: every example runs, and the table is what is computed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import host_matrix as matrix
import pytest
from host_rows import EXACT
from solar_cells import cells

from patchcore_plugin import components

PAGE = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text()
SECTIONS = {title.strip(): text for title, _, text in (part.partition("\n") for part in PAGE.split("\n## "))}


def programs(section):
    return re.findall(r"```python\n(.*?)```", SECTIONS[section], flags=re.DOTALL)


EXAMPLES = [(section, number) for section in ("PyOD", "scikit-learn") for number in range(len(programs(section)))]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    for name, paths in {"good": cells(0.0, 8), "new": cells(1.0, 2)}.items():
        (folder / "photos" / name).mkdir(parents=True)
        for path in paths:
            (folder / "photos" / name / path.name).symlink_to(path)
    return folder


def test_both_hosts_are_shown():
    assert (len(programs("PyOD")), len(programs("scikit-learn"))) == (3, 2)


@pytest.mark.parametrize(("section", "number"), EXAMPLES)
def test_the_examples_of_the_page_run(section, number, photos):
    program = programs(section)[number]
    if "plan_detection" in program:  # which photographs are what is shown, not how large they are
        program = program.replace("result = ", 'plan["params"]["image_size"] = 64\nresult = ')
    run = subprocess.run([sys.executable, "-c", program], cwd=photos, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("host", matrix.HOSTS)
def test_every_search_tells_the_same_scores_in_every_host(host):
    assert [search for search in EXACT if not matrix.difference(host, search) <= matrix.BOUND] == []


def test_the_table_of_the_page_names_every_host_and_every_exact_search():
    rows = [
        line.strip("|").split("|") for line in SECTIONS["Every exact search tells the same"].splitlines() if "|" in line
    ]
    head, _, *body = [[cell.strip() for cell in row] for row in rows]
    assert head[1:] == list(EXACT)
    assert {
        search for search in components.names("neighbors") if not search.startswith(("faiss-ivf", "faiss-hnsw"))
    } == set(EXACT)
    assert {row[0] for row in body} >= set(matrix.HOSTS)
    assert all(float(cell) <= matrix.BOUND for row in body for cell in row[1:])


def test_a_search_that_differs_would_be_seen(monkeypatch):
    host = "scikit-learn, MemoryBankDetector"
    plain = matrix.scores(host, "numpy-exact")
    monkeypatch.setattr(matrix, "scores", lambda _, search: plain if search == "numpy-exact" else plain * (1 + 2e-4))
    assert matrix.difference(host, "faiss-flat") > matrix.BOUND
    assert matrix.in_words(2e-4) == "1e-3"
