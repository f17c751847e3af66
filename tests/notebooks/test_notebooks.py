"""The notebooks run from the first cell to the last, and are committed without outputs."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

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


def story(notebook: str) -> Any:
    """A fixture: the code cells of a notebook that was run."""

    @pytest.fixture(scope="module")
    def cells(folder: Path) -> list[nbformat.NotebookNode]:
        return run(folder, notebook)

    return cells


reef_story = story("04_reef_story.ipynb")
bird_story = story("05_bird_story.ipynb")
another_site = story("06_another_site.ipynb")
which_encoder = story("07_which_encoder.ipynb")


@pytest.fixture(scope="module")
def workshop(folder: Path) -> dict[str, list[nbformat.NotebookNode]]:
    """The code cells of the workshop and of its solutions, on one collection."""
    return {name: run(folder, f"08_{name}.ipynb") for name in ("workshop", "workshop_solutions")}


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


def shown_by(cells: list[nbformat.NotebookNode], source: str) -> str:
    """What the cell with some code in it showed and printed."""
    (cell,) = (cell for cell in cells if source in cell.source)
    return text_of(cell)


def table_of(cells: list[nbformat.NotebookNode], source: str) -> pd.DataFrame:
    """The table that the cell with some code in it shows; its first column is the index."""
    (cell,) = (cell for cell in cells if source in cell.source)
    rows = [
        [unescape(entry).strip() for entry in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr.*?</tr>", text_of(cell, "text/html"), re.S)
    ]
    heading, *body = rows
    table = pd.DataFrame([row for row in body if any(row[1:])], columns=heading)
    return table.set_index(heading[0]).apply(_numbers)


def _numbers(column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column)
    except ValueError:
        return column


@pytest.mark.parametrize("name", NAMES)
def test_committed_notebooks_hold_no_outputs(repository, name):
    notebook = nbformat.read(repository / "notebooks" / name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_first_look_tells_the_story_in_thirteen_cells(first_look):
    assert len(first_look) == 13
    assert "180 windows of 18 recordings" in text_of(first_look[1])


def test_first_look_shows_the_dashboard_in_the_cell(first_look):
    assert any("Column" in text for text in text_of(first_look[4]).splitlines())
    assert text_of(first_look[4], "text/html")


@pytest.mark.parametrize("cell", [2, 3, 6], ids=["map", "listen", "hits"])
def test_first_look_views_are_pictures_where_no_page_answers(first_look, cell):
    page = text_of(first_look[cell], "text/html")
    assert "data-explorer-still" in page
    assert page.count("data:image/png;base64,") == (1 if cell == 2 else 6)


def test_javascript_is_in_one_cell_of_a_notebook(first_look):
    script = "application/javascript"
    large = [cell for cell in first_look if len(text_of(cell, script)) > 1_000_000]
    assert len(large) == 1


def test_first_look_hits_can_be_seen_and_heard(first_look):
    page = text_of(first_look[5], "text/html")
    assert page.count("data:image/png;base64,") == 6
    assert page.count("data:audio/wav;base64,") == 6


@pytest.mark.parametrize("cell", [9, 11], ids=["four examples", "labels"])
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


def test_fish_are_found_at_their_time_of_day_and_little_else(reef_story):
    truth = table_of(reef_story, "windows that hold it")
    right, detected = truth["of them right"], truth["detected"]
    assert right.sum() >= 0.85 * detected.sum()
    assert right.sum() >= 0.5 * truth["windows that hold it"].sum()
    rates = table_of(reef_story, "night and twilight")
    per_hour = rates.apply(lambda column: column.str.removesuffix(" per hour").astype(float))
    night, day = per_hour["night and twilight"], per_hour["day"]
    assert (night[["grunt", "whoop"]] > 5 * day[["grunt", "whoop"]]).all()
    assert day["scrape"] > night["scrape"]


def test_the_reef_story_begins_with_the_recorders_and_ends_with_a_card(reef_story, folder):
    assert "Measured 9 recordings" in shown_by(reef_story, "measure_health")
    sun = table_of(reef_story, "daylight()")
    assert sun["sunrise"].str.contains("T06:").all()
    assert "<svg" in text_of(
        next(cell for cell in reef_story if 'curve("grunt")' in cell.source), "text/html"
    )
    card = (folder / "notebooks" / "out" / "reef-sounds.html").read_text(encoding="utf-8")
    assert "grunt" in card


def test_the_dawn_chorus_is_there_at_dawn(bird_story):
    truth = table_of(bird_story, "windows that hold it")
    assert truth["of them right"].sum() >= 0.85 * truth["detected"].sum()
    assert truth["of them right"].sum() >= 0.45 * truth["windows that hold it"].sum()
    first = table_of(bird_story, 'first="min"')
    assert first.loc["warble", "last"] <= 1  # over once the sun is up
    assert first.loc["warble", "first"] < first.loc["buzz", "first"]


def test_what_an_encoder_believes_is_shown_and_doubted(bird_story):
    said = shown_by(bird_story, "species(")
    assert "species" in said or "without names" in said


def test_site_adaptation_compares_honestly(another_site):
    table = table_of(another_site, "thirty labels from there")
    as_it_is = table.loc["as it is", "AUC"]
    assert table.loc["standardised", "AUC"] >= as_it_is - 0.03
    assert table.loc["thirty labels from there", "AUC"] >= as_it_is
    (before,) = (c for c in another_site if c.source == "adapted.comparison(progress=False)")
    assert "nobody has labelled a window of this place" in text_of(before, "text/html")
    after = text_of(next(c for c in another_site if "verdict" in c.source), "text/html")
    assert re.search(r"on 3\d labelled windows", after)
    assert re.match(r"(keep|do not keep|label more): ", shown_by(another_site, "kept.save"))


def test_encoders_are_compared_on_the_same_labels(which_encoder):
    runs = table_of(which_encoder, 'demo.runs[["run"')["run"].tolist()
    assert runs[0] == "spectral-1_3.0s"
    few = shown_by(which_encoder, "fewshot.table")
    for name in (run.split("-")[0] for run in runs):
        one, four = map(
            float, re.search(rf"{name} +centroid +([\d.]+) ±\S+ +([\d.]+)", few).groups()
        )
        assert 0.85 < one <= four <= 1
    advice = shown_by(which_encoder, "print(told)")
    assert "Take " in advice or "label more" in advice
    assert len(table_of(which_encoder, "told.table[columns]")) == len(runs)


def test_the_workshop_can_be_run_before_anything_is_filled_in(workshop):
    cells = workshop["workshop"]
    yours = [cell for cell in cells if "Your turn" in cell.source or "not yet" in cell.source]
    assert len(yours) >= 8
    assert all("not yet" in text_of(cell) or "0 of 12" in text_of(cell) for cell in yours)


def test_the_workshop_s_solutions_are_right(workshop):
    cells = workshop["workshop_solutions"]
    truth = pd.read_csv(Path(__file__).parents[2] / "data" / "demo" / "truth.csv")
    rain, boats = (truth.loc[truth["class"] == name, "recording"] for name in ("rain", "boat"))
    said = shown_by(cells, "rain = ")
    assert all(name in said for name in [*rain, *boats])
    kappa = float(re.search(r"kappa (-?[\d.]+)", shown_by(cells, "exercise.agreement"))[1])
    assert 0.2 < kappa < 0.9  # people differ, and not by chance
    first, right, of = map(int, re.findall(r"\d+", shown_by(cells, "first_wrong = ")))
    assert (first, of) >= (10, 24)
    assert right >= 12
    precision, recall = map(int, re.findall(r"(\d+)%", shown_by(cells, "threshold_for")))
    assert precision >= 90
    assert recall >= 60
    density, low, high, there = map(float, re.findall(r"0\.\d+", shown_by(cells, "density:")))
    assert low <= there <= high
    assert low <= density <= high


def test_every_solution_answers_an_exercise(repository):
    both = {
        name: nbformat.read(repository / "notebooks" / f"08_{name}.ipynb", as_version=4)
        for name in ("workshop", "workshop_solutions")
    }
    headings = {
        name: [
            line
            for cell in notebook.cells
            if cell.cell_type == "markdown"
            for line in cell.source.splitlines()
            if line.startswith("## ")
        ]
        for name, notebook in both.items()
    }
    assert headings["workshop"] == headings["workshop_solutions"]
    assert len(headings["workshop"]) == 8
    assert "Your turn" not in "".join(cell.source for cell in both["workshop_solutions"].cells)
