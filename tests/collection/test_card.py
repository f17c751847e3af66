"""The card of a classifier: the same facts as JSON and on one page that needs nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tone_recordings import make_tones, windows_of

import explorer
from explorer.cli import main
from explorer.collection.card import FORMAT_VERSION, Card
from explorer.collection.classifier import Classifier
from explorer.collection.collection import Collection
from explorer.errors import FormatVersionError, ParameterError

HOSTILE = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>'


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Two pitches that two people have labelled; one of the classes has a hostile name."""
    tones = make_tones(tmp_path_factory.mktemp("card"))
    tones.label(windows_of(tones, "low", 3), "low", who="ana")
    tones.label(windows_of(tones, "high", 2), "low", "negative", who="ben")
    tones.label(windows_of(tones, "middle", 3), HOSTILE, who=HOSTILE)
    return tones


@pytest.fixture(scope="module")
def made(labelled: Collection) -> Classifier:
    return labelled.classifier(kind="centroid")


class Page(HTMLParser):
    """Tags with their attributes, and the text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.data += data
        elif self._inside != "style":
            self.text += data


def test_the_json_comes_back_as_it_was(made: Classifier, tmp_path: Path) -> None:
    card = made.card()
    text = card.to_json(tmp_path / "card.json")
    assert (tmp_path / "card.json").read_text(encoding="utf-8") == text
    for given in (text, tmp_path / "card.json", str(tmp_path / "card.json")):
        again = Card.from_json(given)
        assert again.facts == card.facts
        assert again.to_json() == text
    assert "Infinity" not in text
    assert "NaN" not in text


def test_a_card_of_a_newer_program_and_what_is_no_card_are_refused(made: Classifier) -> None:
    facts = dict(made.card().facts)
    with pytest.raises(FormatVersionError, match="Update with"):
        Card.from_json(json.dumps(facts | {"version": FORMAT_VERSION + 1}))
    with pytest.raises(ParameterError, match="this is no"):
        Card.from_json(json.dumps({"format": "something else", "version": 1}))
    with pytest.raises(ParameterError, match="no card"):
        Card.from_json("{")


def test_the_page_needs_nothing_and_runs_nothing(made: Classifier) -> None:
    page = Page(made.card().to_html())
    sources = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "poster", "data")
    ]
    assert len(sources) >= 8
    assert all(value is not None and value.startswith("data:") for value in sources)
    assert {tag for tag, _ in page.tags}.isdisjoint({"link", "iframe", "object", "form", "a"})
    assert [a.get("type") for tag, a in page.tags if tag == "script"] == ["application/json"]
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    style = made.card().to_html().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_names_are_text(made: Classifier) -> None:
    html = made.card().to_html()
    page = Page(html)
    assert HOSTILE in page.text
    assert "<img src=x" not in html
    assert html.count("<script") == 1
    assert json.loads(page.data)["classifier"]["classes"] == made.classes


def test_the_page_plays_examples_and_shows_them_in_both_themes(made: Classifier) -> None:
    page = Page(made.card(examples=2).to_html())
    audio = [a["src"] for tag, a in page.tags if tag == "audio"]
    assert len(audio) == 4
    assert all(str(source).startswith("data:audio/flac;base64,ZkxhQ") for source in audio)
    assert len([tag for tag, _ in page.tags if tag == "source"]) == 4
    silent = Page(Card.from_json(made.card().to_json()).to_html())
    assert not [tag for tag, _ in silent.tags if tag == "audio"]
    assert "What it sounds like" in silent.text


def test_the_card_says_what_it_rests_on_who_labelled_and_what_it_is_not_for(
    made: Classifier, labelled: Collection
) -> None:
    facts = made.card(thresholds={"low": 0.7}).facts
    low = facts["classes"][made.classes.index("low")]
    curve = made.curve("low")
    assert low["threshold"] == 0.7
    assert low["precision"]["value"] == pytest.approx(curve.at(0.7).precision.value, abs=1e-4)
    assert low["auc"]["value"] == pytest.approx(curve.auc.value, abs=1e-4)
    assert low["rests_on"] == "labels"
    n = len(windows_of(labelled, "low", 3))
    assert low["by_person"]["ana"] == {"positive": n, "negative": 0, "unsure": 0}
    assert set(low["by_person"]) == {"ana", "ben"}
    assert low["found"] + sum(part["windows"] for part in low["missed"]) == n
    assert len({example["recording"] for example in low["examples"]}) == 3
    assert low["example_recordings"] == 3
    assert any("a person chose" in limit for limit in facts["limits"])
    assert facts["encoder"]["note"] == "This encoder is not installed here."
    assert facts["run"]["window_s"] == 1.0
    assert facts["program"]["version"] == explorer.__version__


def test_the_hash_of_the_labels_changes_with_a_label(labelled: Collection) -> None:
    first = labelled.classifier(kind="centroid").card(examples=0).facts["labels"]
    assert first["without_label"] == 0
    assert (
        first["sha256"]
        == labelled.classifier(kind="centroid").card(examples=0).facts["labels"]["sha256"]
    )
    (event,) = labelled.label([1], "low", "negative", who="ana")
    second = labelled.classifier(kind="centroid").card(examples=0).facts["labels"]
    assert second["sha256"] != first["sha256"]
    assert set(second["events"]) - set(first["events"]) == {event}
    labelled.undo([event], who="ana")
    given = labelled.classifier({"low": [0, 2]}).card(examples=0).facts["labels"]
    assert given["without_label"] >= 0


def test_a_saved_classifier_is_named_with_the_hash_of_its_file(labelled: Collection) -> None:
    made = labelled.classifier({"low": windows_of(labelled, "low", 2)})
    assert made.card(examples=0).facts["classifier"]["sha256"] is None
    path = made.save("tones", threshold=0.6)
    about = labelled.load_classifier("tones").card(examples=0).facts["classifier"]
    assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert about["thresholds"] == {"low": 0.6}
    assert about["file"] == "tones.safetensors"
    with pytest.raises(ParameterError, match="no class 'high'"):
        made.card(thresholds={"high": 0.5})


def test_the_result_of_a_study_is_on_the_card(tmp_path: Path) -> None:
    tones = make_tones(tmp_path)
    made = tones.classifier({"low": windows_of(tones, "low", 2)})
    study = made.study(per_bin=5)
    rows = study.to_label(None).index
    truth = set(windows_of(tones, "low"))
    study.label(rows, ["positive" if row in truth else "negative" for row in rows], who="ana")
    (low,) = made.card(examples=0).facts["classes"]
    assert low["density"]["whole"]["density"] == pytest.approx(study.density().value, abs=1e-4)
    assert low["density"]["sentence"] == study.report().attrs["sentence"]
    assert (low["rests_on"], low["study"]) == ("study", "low")


@pytest.mark.parametrize("suffix", ["html", "json"])
def test_the_command_writes_the_card(
    labelled: Collection, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    out = tmp_path / f"card.{suffix}"
    command = ["explorer", "card", str(labelled.path), "--out", str(out), "--kind", "centroid"]
    monkeypatch.setattr("sys.argv", [*command, "--examples", "0", "--threshold", "0.8"])
    try:
        main()
    except SystemExit as left:
        assert not left.code
    assert f"is in {out}" in re.sub(r"\s+", " ", capsys.readouterr().out)
    text = out.read_text(encoding="utf-8")
    facts = Card.from_json(text).facts if suffix == "json" else json.loads(Page(text).data)
    assert set(facts["classifier"]["thresholds"].values()) == {0.8}
