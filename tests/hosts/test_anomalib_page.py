"""What docs/hosts.md says of anomalib: every example runs, in the order of the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from anomalib_cells import PluginPatchcore
from solar_cells import cells

PAGE = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text()
SECTION = PAGE.partition("\n## anomalib")[2].partition("\n## ")[0]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", SECTION, flags=re.DOTALL)


@pytest.fixture
def work(tmp_path):
    for name, paths in {"good": cells(0.0, 24), "bad": cells(1.0, 4)}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for path in paths:
            (tmp_path / "photos" / name / path.name).symlink_to(path)
    return tmp_path


def run(folder, program, *arguments):
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.long
def test_the_programs_of_the_page_run_one_after_the_other(work):
    fit, export, by_dict = blocks("python")
    run(work, fit)
    run(work, export)
    assert (work / "exported" / "weights" / "onnx" / "model.onnx").exists()
    run(work, by_dict)


@pytest.mark.long
def test_the_command_of_the_page_runs(work):
    (configuration,) = blocks("yaml")
    (work / "parts.yaml").write_text(configuration)
    (command,) = re.findall(r"`anomalib (.*?)`", SECTION)
    run(work, "from anomalib.cli.cli import main; main()", *command.split())
    (path,) = work.glob("results/PluginPatchcore/parts/v0/weights/lightning/model.ckpt")
    found = PluginPatchcore.load_from_checkpoint(path)
    assert found.model.settings.sampler.options["keep"] == 0.05
    assert found.post_processor._image_from_good


def test_every_argument_is_on_the_page():
    import inspect

    own = set(inspect.signature(PluginPatchcore).parameters) - {"evaluator", "visualizer", "post_processor"}
    spoken = SECTION.replace("pre-processor", "pre_processor")
    assert {name for name in own if name not in spoken} == set()
