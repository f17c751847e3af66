"""Labels: a log that nobody can overwrite, and the view of it that counts."""

from __future__ import annotations

import numpy as np
import pytest
from small_recordings import Listener

from explorer.collection import labels as label_log
from explorer.collection.collection import Collection
from explorer.errors import ParameterError


def test_a_label_is_a_time_range_with_a_name_and_a_person(reef: Collection) -> None:
    reef.label([2], "hum", who="ana")
    label = reef.labels().iloc[0]
    assert (label["recording"], label["start_s"], label["end_s"]) == (
        "east/EAST_20260301_000000.wav",
        2.0,
        3.0,
    )
    assert (label["class"], label["judgement"], label["who"]) == ("hum", "positive", "ana")
    assert label["when"].endswith("+00:00")


def test_undo_is_another_event_and_can_be_undone(reef: Collection) -> None:
    events = reef.label([2, 3], "hum", who="ana")
    taken_back = reef.undo(events, who="ana")
    assert reef.labels().empty
    reef.undo(taken_back, who="ana")
    assert len(reef.labels()) == 2
    assert len(reef.label_events()) == 6


def test_undo_brings_the_judgement_before_back(reef: Collection) -> None:
    reef.label([2], "hum", "positive", who="ana")
    changed = reef.label([2], "hum", "negative", who="ana")
    assert reef.labels()["judgement"].tolist() == ["negative"]
    reef.undo(changed, who="ana")
    assert reef.labels()["judgement"].tolist() == ["positive"]


def test_people_never_overwrite_each_other(reef: Collection) -> None:
    reef.label([2], "hum", "positive", who="ana")
    reef.label([2], "hum", "negative", who="ben")
    assert sorted(reef.labels()["who"]) == ["ana", "ben"]
    assert reef.labels(who="ben")["judgement"].tolist() == ["negative"]


def test_where_people_disagree_evenly_a_window_is_no_example(reef: Collection) -> None:
    reef.label([2, 3], "hum", "positive", who="ana")
    reef.label([2], "hum", "negative", who="ben")
    classifier = reef.classifier()
    assert classifier.made_of["examples"] == {"hum": [3]}
    assert classifier.made_of["negatives"] == {}


def test_labels_outlive_a_change_of_encoder(reef: Collection) -> None:
    reef.label([2], "hum", who="ana")
    reef.embed(Listener(), hop_s=0.5, progress=False)
    rows = reef.label_rows(run="listener-1_1.0s_hop0.5s")["row"]
    windows = reef.windows(rows, run="listener-1_1.0s_hop0.5s")
    # Overlapping neighbours share exactly half with the label, which is not more than half.
    assert windows["start_s"].tolist() == [2.0]


def test_a_short_label_names_the_window_that_holds_most_of_it(reef: Collection) -> None:
    recording = reef.recordings["recording"].iloc[0]
    reef.label_ranges(_ranges(recording, [(0.8, 1.3), (1.9, 2.1)]), who="ana")
    rows = reef.label_rows()["row"].tolist()
    assert reef.windows(rows)["start_s"].tolist() == [1.0, 1.0]


def test_a_long_label_names_all_its_windows(reef: Collection) -> None:
    recording = reef.recordings["recording"].iloc[0]
    reef.label_ranges(_ranges(recording, [(0.2, 3.4)]), who="ana")
    assert reef.windows(reef.label_rows()["row"])["start_s"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judgement": "perhaps"}, "use one of positive, negative, unsure"),
        ({"class": "  "}, "needs a name"),
        ({"end_s": 0.0}, "no time range"),
        ({"recording": "nowhere.wav"}, "nowhere.wav"),
    ],
)
def test_a_label_that_cannot_be_right_is_refused_whole(
    reef: Collection, change: dict[str, object], message: str
) -> None:
    recording = reef.recordings["recording"].iloc[0]
    ranges = _ranges(recording, [(0.0, 1.0), (1.0, 2.0)])
    for column, value in change.items():
        ranges.loc[1, column] = value
    with pytest.raises(ParameterError, match=message):
        reef.label_ranges(ranges, who="ana")
    assert reef.labels().empty


def test_nobody_labels_without_a_name(reef: Collection) -> None:
    with pytest.raises(ParameterError, match="name of the person"):
        reef.label([0], "hum", who=" ")


def test_an_event_that_is_not_there_cannot_be_undone(reef: Collection) -> None:
    with pytest.raises(ParameterError, match="no label event 41"):
        reef.undo([41], who="ana")


def _ranges(recording: str, times: list[tuple[float, float]]):
    import pandas as pd

    return pd.DataFrame(
        {
            "recording": recording,
            "start_s": [start for start, _ in times],
            "end_s": [end for _, end in times],
            "class": "hum",
            "judgement": "positive",
        }
    )


def test_the_log_can_be_read_from_an_event_on(reef: Collection) -> None:
    assert reef.latest_event() == 0
    reef.label([2, 3], "hum", who="ana")
    seen = reef.latest_event()
    event = reef.label([4], "hum", who="ben")[0]
    later = reef.label_events(since=seen)
    assert later.index.tolist() == [event] == [reef.latest_event()]
    assert later["who"].tolist() == ["ben"]
    reef.undo([event], who="ben")
    assert reef.latest_event() > event


def test_what_was_read_of_the_log_is_not_read_again_and_nothing_is_missed(
    reef: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reef.label([2, 3], "hum", who="ana")
    whole = reef.label_events()
    read = []
    right = label_log._read
    monkeypatch.setattr(label_log, "_read", lambda *a: read.append(right(*a)) or read[-1])
    monkeypatch.setattr(label_log, "OVERLAP", 1)
    other = Collection(reef.path)  # another process
    other.label([4], "hum", who="ben")
    other.undo([int(whole.index[0])], who="ben")
    assert len(reef.label_events()) == 4
    assert len(read[0]) == 3  # the two that are new, and one that may have been written with them
    events = reef.label_events()
    events["who"] = "nobody"  # a copy
    assert set(reef.labels()["who"]) == {"ana", "ben"}


def test_what_counts_is_what_the_whole_log_says(reef: Collection) -> None:
    """Many events in any order, undone and done again, against the plain reading of the rule."""
    rng = np.random.default_rng(0)
    judgements = ["positive", "negative", "unsure"]
    for _ in range(120):
        events = reef.label_events()
        who = str(rng.choice(["ana", "ben"]))
        if len(events) and rng.random() < 0.4:
            reef.undo([int(rng.choice(events.index))], who=who)
        else:
            reef.label([int(rng.integers(6))], "hum", str(rng.choice(judgements)), who=who)
        reef.labels()  # read piece by piece
    events = Collection(reef.path).label_events()
    undone: set[int] = set()
    for event in events[events["judgement"] == "undo"].iloc[::-1].itertuples():
        if event.Index not in undone:
            undone.add(int(event.undoes))
    kept = events[(events["judgement"] != "undo") & ~events.index.isin(undone)]
    kept = kept.drop_duplicates(["who", "recording_id", "start_s", "end_s", "class"], keep="last")
    assert reef.labels()["event"].tolist() == kept.index.tolist()
    positives, negatives = label_log.examples_of(reef.label_rows())
    settled = label_log.agreed(reef.label_rows()).set_index("row")["judgement"]
    assert (
        positives.get("hum", np.zeros(0)).tolist() == settled.index[settled == "positive"].tolist()
    )
    assert (
        negatives.get("hum", np.zeros(0)).tolist() == settled.index[settled == "negative"].tolist()
    )
