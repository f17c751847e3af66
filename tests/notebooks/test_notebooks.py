"""The notebooks run from the first cell to the last, and are committed without outputs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

NAMES = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A copy of the notebooks and of the demo's recordings, to write beside."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(repository / "data", folder / "data")
    shutil.copytree(repository / "notebooks", folder / "notebooks")
    return folder


@pytest.fixture(scope="module")
def first_look(folder: Path) -> list[nbformat.NotebookNode]:
    """The code cells of the first notebook, with what they gave."""
    return run(folder, "01_first_look.ipynb")


@pytest.fixture(scope="module")
def own_encoder(folder: Path) -> str:
    """All that the second notebook printed."""
    cells = run(folder, "02_your_own_encoder.ipynb")
    return "\n".join(text_of(cell) for cell in cells)


@pytest.fixture(scope="module")
def numbers(folder: Path) -> str:
    """All that the third notebook showed."""
    cells = run(folder, "03_numbers.ipynb")
    return "\n".join(text_of(cell) + text_of(cell, "text/html") for cell in cells)


def run(folder: Path, name: str) -> list[nbformat.NotebookNode]:
    """Run a notebook and give its code cells with what they gave."""
    notebook = nbformat.read(folder / "notebooks" / name, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder / "notebooks")}},
    )
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell: nbformat.NotebookNode, kind: str = "text/plain") -> str:
    """What a cell showed of one kind, or printed."""
    return "\n".join(
        output.get("text", "")
        if kind == "text/plain" and output.output_type == "stream"
        else output.get("data", {}).get(kind, "")
        for output in cell.outputs
    )


@pytest.mark.parametrize("name", NAMES)
def test_committed_notebooks_hold_no_outputs(repository, name):
    notebook = nbformat.read(repository / "notebooks" / name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_first_look_tells_the_story_in_ten_cells(first_look):
    assert len(first_look) == 10
    assert "180 windows of 18 recordings" in text_of(first_look[1])


def test_first_look_shows_the_dashboard_in_the_cell(first_look):
    assert any("Column" in text for text in text_of(first_look[2]).splitlines())
    assert text_of(first_look[2], "text/html")


def test_first_look_hits_can_be_seen_and_heard(first_look):
    page = text_of(first_look[3], "text/html")
    assert page.count("data:image/png;base64,") == 6
    assert page.count("data:audio/wav;base64,") == 6


@pytest.mark.parametrize("cell", [6, 8], ids=["four examples", "labels"])
def test_first_look_finds_most_whoops_and_little_else(first_look, cell):
    right, events, found, whoops = map(int, re.findall(r"\d+", text_of(first_look[cell])))
    assert whoops == 16
    assert found >= 12
    assert right >= 0.9 * events


def test_first_look_leaves_files_that_other_programs_take(first_look, folder):
    out = folder / "notebooks" / "out"
    detections = pd.read_csv(out / "detections.csv")
    assert {"recording", "start_s", "end_s", "class", "score", "site"} <= set(detections.columns)
    assert detections["started_at"].str.endswith("+09:00").all()
    assert set(pd.read_csv(out / "labels.csv")["class"]) == {"whoop", "grunt"}
    tables = list((out / "raven").glob("*.selections.txt"))
    assert len(tables) == detections["recording"].nunique()


def test_a_torch_module_and_its_onnx_file_are_the_same_encoder(own_encoder):
    assert "180 windows of 18 recordings with tiny_ear-1_3.0s" in own_encoder
    assert "Its inputs and outputs are as declared, and it ran." in own_encoder
    assert float(re.search(r"cosine to the module: ([\d.]+)", own_encoder)[1]) > 0.9999
    assert "all 180 windows of tiny_ear-1_3.0s are embedded" in own_encoder  # nothing is done twice


def test_own_encoders_search_beside_the_others_one_from_a_package_too(own_encoder):
    found = dict(re.findall(r"(\w+)-1_\d\.0s: (\d+) of 20 hold a whoop", own_encoder))
    assert set(found) == {"spectral", "tiny_ear", "loudness"}
    assert int(found["tiny_ear"]) >= 10  # what it learnt in seconds; chance is two
    assert int(found["loudness"]) < int(found["tiny_ear"])


def test_numbers_come_with_an_interval_that_holds_the_truth(numbers):
    low, high = map(float, re.search(r"density: [\d.]+ \(([\d.]+) to ([\d.]+)\)", numbers).groups())
    truth = float(re.search(r"the truth: ([\d.]+)", numbers)[1])
    assert low <= truth <= high
    assert high - low < 0.1  # of 60 answers; nothing at all would be known with 1


def test_numbers_say_what_was_chosen_and_what_to_do_next(numbers):
    assert re.search(r"A nearest centroid\. On recordings left out its mean AUC is [\d.]+", numbers)
    assert "likely a call" in numbers
    assert re.search(r"label \d+ more", numbers)


def test_an_adapted_classifier_is_not_worse_and_says_how_to_be_sure(numbers):
    before, after = map(float, re.search(r"before ([\d.]+), adapted ([\d.]+)", numbers).groups())
    assert after >= before - 0.01
    assert re.search(r"Label about \d+ windows", numbers)
