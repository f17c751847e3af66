"""Who agrees with whom about a collection's windows, and where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from explorer import cli
from explorer.collection.collection import Collection
from explorer.errors import ParameterError


@pytest.fixture
def judged(reef: Collection) -> Collection:
    """Ada and Ben judged ten windows, of which they differ about two; Carl judged one of those."""
    reef.label(range(5), "hum", "positive", who="ada")
    reef.label(range(5, 10), "hum", "negative", who="ada")
    reef.label([0, 1, 2, 5], "hum", "positive", who="ben")
    reef.label([3, 6, 7, 8, 9], "hum", "negative", who="ben")
    reef.label([4], "hum", "positive", who="ben")
    reef.label([3], "hum", "unsure", who="carl")
    return reef


def test_agreement_says_for_each_pair_what_it_rests_on(judged: Collection) -> None:
    table = judged.agreement("hum").set_index("who")
    assert table.index.tolist() == ["ada, ben, carl", "ada, ben", "ada, carl", "ben, carl"]
    pair = table.loc["ada, ben"]
    assert (pair["windows"], pair["agreed"], pair["kappa"]) == (10, 0.8, pytest.approx(0.6))
    assert pair["low"] < 0.6 < pair["high"]
    assert pair["word"] == "moderate"
    assert table.loc["ben, carl", "windows"] == 1
    assert np.isclose(table.loc["ada, ben, carl", "agreed"], 0.8)


def test_the_queue_holds_what_no_majority_decides(judged: Collection) -> None:
    apart = judged.disagreements("hum")
    assert sorted(apart.index) == [3, 5]
    assert apart.loc[3, "said"] == "ada yes, ben no, carl unsure"
    assert (apart["contested"] == 1).all()
    judged.label([3], "hum", "negative", who="carl")  # she makes up her mind
    assert judged.disagreements("hum").index.tolist() == [5]
    assert judged.disagreements("hum", settled=True).loc[3, "settled"]
    judged.label([5], "hum", "negative", who="ben")
    assert judged.disagreements("hum").empty


def test_classes_are_kept_apart_and_told_together(judged: Collection) -> None:
    judged.label([0, 1], "buzz", "positive", who="ada")
    judged.label([0, 1], "buzz", "negative", who="ben")
    table = judged.agreement(who=["ada", "ben"])
    assert table["class"].fillna("all").tolist() == ["all", "buzz", "hum"]
    assert table["windows"].tolist() == [12, 2, 10]
    assert judged.disagreements()["class"].value_counts().to_dict() == {"hum": 2, "buzz": 2}


def test_labels_taken_back_are_not_counted(judged: Collection) -> None:
    events = judged.label([20], "hum", "positive", who="ben")
    judged.label([20], "hum", "negative", who="ada")
    assert 20 in judged.disagreements("hum").index
    judged.undo(events, who="ben")
    assert 20 not in judged.disagreements("hum").index


def test_a_table_of_disagreements_can_be_judged_elsewhere(
    judged: Collection, tmp_path: Path
) -> None:
    apart = judged.disagreements("hum")
    assert apart.iloc[:1].collection is judged  # it plays
    apart.write(tmp_path / "todo.csv")
    todo = pd.read_csv(tmp_path / "todo.csv")
    assert "said" not in todo  # blind
    todo.assign(judgement="no").to_csv(tmp_path / "done.csv", index=False)
    judged.import_labels(tmp_path / "done.csv", who="dora")
    assert judged.disagreements("hum", who=["ada", "ben", "dora"]).empty


def test_who_is_alone_has_nobody_to_agree_with(reef: Collection) -> None:
    assert reef.agreement().empty
    assert reef.disagreements().empty
    reef.label([1, 2], "hum", who="ada")
    assert reef.agreement().empty
    with pytest.raises(ParameterError, match=r"no labels of the class “buzz”.*“hum”"):
        reef.agreement("buzz")
    with pytest.raises(ParameterError, match="no labels by “ben”"):
        reef.disagreements(who=["ada", "ben"])


def test_the_command_says_it_in_words(judged: Collection, tmp_path: Path) -> None:
    todo = tmp_path / "todo.csv"
    told = CliRunner().invoke(cli.app, ["agreement", str(judged.path), "--to-judge", str(todo)])
    assert told.exit_code == 0, told.output
    assert "ada, ben       10    80%  0.60" in told.stdout
    assert "People differ about 2 windows" in told.stdout
    assert len(pd.read_csv(todo)) == 2
