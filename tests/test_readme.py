"""What README and docs say is true: the code runs, figures are those the demonstration prints, links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from solar_cells import cells
from typer.testing import CliRunner

from patchcore_plugin import components
from patchcore_plugin.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def photos(tmp_path):
    good, bad = cells(0.0, 23), cells(1.0, 3)
    folders = {"good": good[:20], "new": bad[:2], "test/good": good[20:], "test/crack": bad}
    for folder, paths in folders.items():
        (tmp_path / "photos" / folder).mkdir(parents=True)
        for path in paths:
            (tmp_path / "photos" / folder / path.name).symlink_to(path)
    return tmp_path


def test_the_python_of_the_readme_runs(photos):
    (program,) = blocks("python")
    run = subprocess.run([sys.executable, "-c", program], cwd=photos, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 2
    assert "p = " in run.stdout


def test_the_commands_of_the_readme_run(photos, monkeypatch):
    monkeypatch.chdir(photos)
    commands = [
        line.split("#")[0].split()[1:] for text in blocks("sh") for line in text.splitlines() if "patchcore " in line
    ]
    assert len(commands) >= 4
    for command in commands:
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output)
    assert {"scores.csv", "scores.jsonl", "heat_maps"} <= set(os.listdir(photos / "results"))


def test_the_table_of_parts_is_complete():
    for kind in components.KINDS:
        row = next(line for line in README.splitlines() if line.startswith(f"| `{kind}`"))
        assert set(re.findall(r"`([a-z-]+)`", row.split("|")[2])) == set(components.names(kind))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.long
def test_the_figures_of_the_readme_are_those_the_demonstration_prints(tmp_path):
    from patchcore_plugin.demo import run_demo

    printed = "\n".join(run_demo(tmp_path))
    figure = re.compile(
        r"^(image auroc|average precision|best f1|best f1 threshold|threshold) +([0-9.]+)"
        r"(?: \(95 %: [0-9.]+ to [0-9.]+\))?$",
        re.MULTILINE,
    )
    claimed, measured = (dict(figure.findall(text)) for text in (README, printed))
    assert set(claimed) == set(measured) != set()
    for name, value in claimed.items():
        assert float(value) == pytest.approx(float(measured[name]), rel=0.005), name
    assert float(measured["image auroc"]) >= 0.94
    assert {"index.html", "model.safetensors", "scores.csv", "heat_maps"} <= set(os.listdir(tmp_path))
