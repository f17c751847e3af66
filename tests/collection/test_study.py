"""Studies: how much of a sound there is, from answers about windows drawn at random."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from grunt_recordings import SITES, judgements, truth_of, write_grunts
from small_recordings import Listener

import explorer
from explorer.classify.calibration import reliability
from explorer.classify.labelling_plan import StratifiedLabels
from explorer.collection.classifier import Classifier
from explorer.collection.collection import Collection
from explorer.collection.study import Study
from explorer.errors import CollectionError, FormatVersionError, ParameterError

RUN = "listener-1_1.0s"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grunts")
    reef = explorer.open(
        folder / "reef.collection", audio=write_grunts(folder / "audio"), timezone="+10:00"
    )
    reef.embed(Listener(), progress=False)
    reef.close()
    return reef.path


@pytest.fixture
def reef(made: Path, tmp_path: Path) -> Collection:
    """720 windows of one second, 11 in 100 with a grunt."""
    return Collection(shutil.copytree(made, tmp_path / "reef.collection"))


@pytest.fixture
def truth(reef: Collection) -> np.ndarray:
    return truth_of(reef)


@pytest.fixture
def grunts(reef: Collection, truth: np.ndarray) -> Classifier:
    return reef.classifier({"grunt": np.flatnonzero(truth)[:6]})


def answer(study: Study, truth: np.ndarray, n: int | None = None, who: str = "ana") -> list[int]:
    """Answer the next windows, rightly."""
    rows = study.to_label(n).index
    return study.label(rows, judgements(truth, rows), who=who)


# --- how much -----------------------------------------------------------------------------------


def test_the_interval_holds_the_truth_nine_times_in_ten(grunts: Classifier, truth: np.ndarray):
    held = []
    for seed in range(20):
        study = grunts.study("grunt", per_bin=15, seed=seed)
        events = answer(study, truth)
        found = study.density()
        held.append(found.low <= truth.mean() <= found.high)
        grunts.collection.undo(events, who="ana")
    assert sum(held) >= 16


def test_answers_tell_how_well_the_classifier_ranks(grunts: Classifier, truth: np.ndarray):
    study = grunts.study(per_bin=40)
    answer(study, truth)
    found = study.auc()
    scores = grunts.scores()[:, 0]
    exact = (scores[truth][:, None] > scores[~truth]).mean()
    assert found.low <= exact <= found.high
    assert found.low > 0.8


def test_a_few_more_labels_of_the_right_bins_narrow_the_interval(
    grunts: Classifier, truth: np.ndarray
):
    study = grunts.study(per_bin=10)
    answer(study, truth)
    needed = study.labels_needed(0.02)
    assert f"label {needed.total} more" in needed.message
    rows = study.to_label(None, plus_minus=0.02).index
    assert len(rows) == needed.total
    study.label(rows, judgements(truth, rows), who="ana")
    found = study.density()
    assert (found.high - found.low) / 2 < 0.03
    assert found.low <= truth.mean() <= found.high


def test_a_threshold_is_found_for_a_wanted_precision(grunts: Classifier, truth: np.ndarray):
    study = grunts.study(per_bin=60)
    answer(study, truth)
    found = study.threshold(0.9)
    above = grunts.scores()[:, 0] >= found.value
    assert found.precision.low <= truth[above].mean() <= found.precision.high
    assert found.recall.low <= truth[above].sum() / truth.sum() <= found.recall.high


def test_sites_are_told_apart_in_three_ways(grunts: Classifier, truth: np.ndarray):
    study = grunts.study(per_bin=60)
    answer(study, truth)
    table = study.by("site").set_index("site")
    assert list(table.index) == sorted(SITES)
    assert table["windows"].tolist() == [240, 240, 240]
    assert table["recorded_hours"].tolist() == pytest.approx([240 / 3600] * 3)
    for name in ("fixed", "mixture", "combined"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
        assert table[name].idxmax() == "EAST"
        assert table[name].idxmin() == "NORTH"
    site = grunts.collection.windows()["site"]
    assert table["mixture_low"]["EAST"] <= truth[site == "EAST"].mean()
    assert truth[site == "EAST"].mean() <= table["mixture_high"]["EAST"]
    by_hour = study.by(["site", "hour"])
    assert len(by_hour) == 12
    assert by_hour["hour"].tolist()[:4] == [5, 6, 12, 22]


# --- whose answers count ------------------------------------------------------------------------


def test_windows_are_asked_about_at_random_and_without_scores(grunts: Classifier):
    study = grunts.study(per_bin=25)
    asked = study.to_label(None)
    assert list(asked.columns) == ["recording", "start_s", "end_s", "started_at", "site"]
    assert asked.collection is grunts.collection  # so that it shows and plays
    ranks = pd.Series(grunts.scores()[asked.index, 0]).corr(
        pd.Series(range(len(asked))), method="spearman"
    )
    assert abs(ranks) < 0.2
    scores = grunts.scores()[:, 0]
    for part in np.array_split(asked.index.to_numpy(), 5):
        assert (scores[part] > np.median(scores)).mean() == pytest.approx(0.75, abs=0.1)


def test_any_label_of_a_window_that_was_asked_about_counts(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study()
    rows = study.to_label(20).index
    reef.label(rows[truth[rows]], "grunt", "positive", who="ana", source="dashboard")
    reef.label(rows[~truth[rows]], "grunt", "negative", who="ben", source="notebook")
    assert study.progress.answered == 20
    assert study.progress.positive == truth[rows].sum()
    reef.label(rows, "snap", "positive", who="ana")
    assert study.progress.positive == truth[rows].sum()


def test_labels_made_while_searching_wait_for_their_turn(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    """Else the result would lean: they are of windows that somebody chose."""
    study = grunts.study(per_bin=40)
    best = np.argsort(-grunts.scores()[:, 0])[:60]
    found = best[truth[best]]
    reef.label(found, "grunt", who="ana")
    assert study.progress.early > 20
    assert study.progress.answered <= 2
    answer(study, truth)
    assert study.progress.answered >= 160
    estimate = study.density()
    assert estimate.low <= truth.mean() <= estimate.high


def test_windows_that_were_skipped_are_asked_about_next(grunts: Classifier, truth: np.ndarray):
    study = grunts.study()
    rows = study.to_label(30).index
    study.label(rows[5:], judgements(truth, rows[5:]), who="ana")
    assert study.progress.answered == 25
    assert study.progress.skipped == 5
    assert set(study.to_label(5).index) == set(rows[:5])
    study.label(rows[:5], "unsure", who="ana")
    assert (study.progress.skipped, study.progress.unsure) == (0, 5)


def test_a_label_of_another_length_is_no_answer(reef: Collection, grunts: Classifier):
    """That a call is in a whole minute says nothing of the minute's second second."""
    study = grunts.study()
    window = study.to_label(1).iloc[0]
    whole = {"recording": window["recording"], "start_s": 0.0, "end_s": 60.0, "class": "grunt"}
    reef.label_ranges(pd.DataFrame([whole]), who="ana")
    assert study.progress.answered == study.progress.early == 0


def test_answers_can_be_changed_and_taken_back(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study()
    rows = study.to_label(20).index
    events = study.label(rows, "negative", who="ana")
    study.label(rows[:8], "positive", who="ana")
    assert (study.progress.positive, study.progress.negative) == (8, 12)
    reef.undo(events, who="ana")
    assert (study.progress.positive, study.progress.negative) == (8, 0)
    assert (reef.label_events()["source"].iloc[:28] == "study:grunt").all()


def test_where_two_people_disagree_a_third_decides(grunts: Classifier):
    study = grunts.study()
    rows = study.to_label(12).index
    study.label(rows, "positive", who="ana")
    study.label(rows[:4], "negative", who="ben")
    assert (study.progress.positive, study.progress.unsure) == (8, 4)
    study.label(rows[:4], "negative", who="cleo")
    assert (study.progress.positive, study.progress.negative) == (8, 4)


# --- kept -------------------------------------------------------------------------------------


def test_a_study_goes_on_after_reopening_with_the_same_windows(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study("grunt", name="reef flat", per_bin=20, seed=4)
    answer(study, truth, n=30)
    again = Collection(reef.path).study("reef flat")
    assert again.to_label(None).index.tolist() == study.to_label(None).index.tolist()
    assert again.plan == study.plan
    answer(again, truth)
    assert again.density() == study.density()
    pd.testing.assert_frame_equal(again.by("site"), study.by("site"))
    listed = reef.studies.iloc[0]
    assert (listed["name"], listed["class"], listed["windows"]) == ("reef flat", "grunt", 720)
    assert listed["answered"] == 80


def test_a_study_is_not_moved_by_what_the_classifier_learns_from_it(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study()
    answer(study, truth)
    before = study.density()
    learnt = reef.classifier(kind="centroid")
    assert not np.allclose(learnt.scores(), grunts.scores())
    assert reef.study("grunt").density() == before


def test_windows_embedded_since_are_no_part_of_a_study(
    reef: Collection, grunts: Classifier, truth: np.ndarray, tmp_path: Path
):
    study = grunts.study()
    answer(study, truth)
    before = study.density(), study.by("site")
    reef.add(write_grunts(tmp_path / "more" / "deep"))
    reef.embed(Listener(), progress=False)
    assert study.progress.newer == 720
    assert "720 windows were embedded since" in str(study.progress)
    assert study.density() == before[0]
    pd.testing.assert_frame_equal(study.by("site"), before[1])


def test_a_study_can_be_kept_to_sites_and_days(grunts: Classifier, truth: np.ndarray):
    study = grunts.study(sites=["EAST", "WEST"], since="2026-03-01", until="2026-03-01")
    answer(study, truth)
    assert study.plan.n_windows == 480
    assert set(study.by("site")["site"]) == {"EAST", "WEST"}
    assert grunts.collection.study(study.name).sites == ("EAST", "WEST")
    with pytest.raises(ParameterError, match="no window lies within"):
        grunts.study(since="2026-03-02")
    with pytest.raises(ParameterError, match="no site 'SOUTH'; there are: EAST, NORTH, WEST"):
        grunts.study(sites=["SOUTH"])
    with pytest.raises(ParameterError, match="write it as 2026-03-31"):
        grunts.study(since="March")


def test_a_name_is_found_or_refused(grunts: Classifier):
    assert [grunts.study().name, grunts.study().name] == ["grunt", "grunt 2"]
    with pytest.raises(ParameterError, match="there is a study 'grunt' already"):
        grunts.study(name="grunt")
    with pytest.raises(ParameterError, match="cannot name a study"):
        grunts.study(name="../grunt")
    with pytest.raises(CollectionError, match="no study 'snap'; there are: grunt, grunt 2"):
        grunts.collection.study("snap")


def test_a_file_that_is_damaged_or_of_other_windows_is_told_apart(
    reef: Collection, grunts: Classifier
):
    grunts.study()
    path = reef.path / "studies" / "grunt.json"
    kept = json.loads(path.read_text())

    def opened_with(**changed: object) -> Study:
        path.write_text(json.dumps(kept | changed))
        return reef.study("grunt")

    with pytest.raises(FormatVersionError, match=r"grunt\.json.*Update"):
        opened_with(version=99)
    with pytest.raises(CollectionError, match="this study is of run birdnet"):
        opened_with(run="birdnet-2.4_3.0s")
    with pytest.raises(CollectionError, match="not those that this study drew"):
        opened_with(windows="0")
    assert reef.check()[["kind", "name"]].to_numpy().tolist() == [["study", "grunt"]]
    with pytest.raises(CollectionError, match="its answers are labels and are safe"):
        opened_with(plan={"format": "explorer labelling plan", "version": 1})
    path.write_text("{")
    with pytest.raises(CollectionError, match=r"grunt\.json: this is no whole study"):
        reef.study("grunt")


# --- bad input --------------------------------------------------------------------------------


def test_without_an_answer_results_say_what_to_do(grunts: Classifier):
    study = grunts.study()
    for result in (study.density, study.auc, study.by, study.calibration):
        with pytest.raises(ParameterError, match=r"no yes or no yet: listen to study\.to_label"):
            result()
    study.label(study.to_label(4).index, "unsure", who="ana")
    with pytest.raises(ParameterError, match="no yes or no yet"):
        study.density()


def test_with_a_bin_unheard_the_density_is_not_known_yet(grunts: Classifier):
    study = grunts.study()
    study.label(study.to_label(2).index, "negative", who="ana")
    found = study.density()
    assert np.isnan(found.value)
    assert "no yes or no yet for bin" in found.message
    assert study.by("site").attrs["message"] == found.message


def test_a_class_that_is_not_there_is_refused(reef: Collection, truth: np.ndarray):
    two = reef.classifier({"grunt": np.flatnonzero(truth)[:3], "noise": np.flatnonzero(~truth)[:3]})
    with pytest.raises(ParameterError, match=r"no class 'snap'.*grunt, noise"):
        two.study("snap")
    with pytest.raises(ParameterError, match="name one of grunt, noise"):
        two.study()


def test_windows_that_were_not_drawn_are_no_answers(grunts: Classifier):
    study = grunts.study(sites=["EAST"])
    strange = int(np.flatnonzero(study.bins < 0)[0])
    with pytest.raises(ParameterError, match=f"window {strange} is not one that study 'grunt'"):
        study.label([strange], "positive", who="ana")
    with pytest.raises(ParameterError, match="2 windows, but 1 judgements"):
        study.label(study.to_label(2).index, ["positive"], who="ana")


# --- Raven and spreadsheets ---------------------------------------------------------------------


def test_a_spreadsheet_goes_out_and_comes_back(
    grunts: Classifier, truth: np.ndarray, tmp_path: Path
):
    study = grunts.study()
    asked = study.to_label(20)
    study.write_windows(tmp_path / "ana.csv", n=20)
    sheet = pd.read_csv(tmp_path / "ana.csv")
    assert "score" not in sheet
    sheet["judgement"] = ["yes" if truth[row] else "no" for row in asked.index]
    sheet.loc[3, "judgement"] = None
    sheet.loc[4, "judgement"] = "unsure"
    own = {"recording": sheet["recording"][0], "start_s": 0.3, "end_s": 0.9, "class": "grunt"}
    other = sheet.iloc[0].to_dict() | {"class": "snap"}
    more = pd.DataFrame([own | {"judgement": "yes"}, other])
    pd.concat([sheet, more]).to_csv(tmp_path / "ana.csv", index=False)
    report = study.read_answers(tmp_path / "ana.csv", who="ana")
    assert (report.answers, report.empty, report.elsewhere) == (19, 1, 2)
    assert study.progress.positive == truth[asked.index.delete([3, 4])].sum()
    assert (study.progress.unsure, study.progress.skipped) == (1, 1)
    again = study.read_answers(tmp_path / "ana.csv", who="ana")
    assert (again.answers, again.unchanged) == (0, 19)
    assert "2 left out because they are not of this study" in str(again)
    assert study.read_answers(tmp_path / "ana.csv", who="ben").answers == 19


@pytest.mark.parametrize("place", ["windows.txt", "tables"])
def test_raven_tables_go_out_and_come_back(
    grunts: Classifier, truth: np.ndarray, tmp_path: Path, place: str
):
    study = grunts.study()
    for path in study.write_windows(tmp_path / place, n=40):
        table = pd.read_csv(path, sep="\t")
        assert table["Judgement"].isna().all()
        table["Judgement"] = "no"
        # Raven writes fewer decimals than it reads.
        table["Begin Time (s)"] = table["Begin Time (s)"] + 0.004
        table.to_csv(path, sep="\t", index=False)
    report = study.read_answers(tmp_path / place, who="ana")
    assert report.answers == 40
    assert study.progress.negative == 40


def test_what_cannot_be_written_is_refused(grunts: Classifier, truth: np.ndarray, tmp_path: Path):
    study = grunts.study(per_bin=2)
    with pytest.raises(ParameterError, match=r"for Raven as \.txt"):
        study.write_windows(tmp_path / "windows.xlsx")
    answer(study, truth)
    with pytest.raises(ParameterError, match="no window to label: 8 windows answered"):
        study.write_windows(tmp_path / "windows.csv")


# --- probabilities ----------------------------------------------------------------------------


def test_a_calibrated_classifier_keeps_its_probabilities_and_threshold(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study(per_bin=60)
    answer(study, truth)
    found = grunts.calibrate(study, precision=0.8)
    assert found.message == ""
    grunts.save("grunts")
    kept = Collection(reef.path).load_classifier("grunts")
    assert kept.calibrations == {"grunt": found}
    assert kept.thresholds == grunts.thresholds != {}
    detections = kept.detections()
    assert detections["score"].min() >= kept.thresholds["grunt"]
    np.testing.assert_allclose(
        detections["probability"], found.probabilities(detections["score"]), rtol=1e-6
    )
    everything = StratifiedLabels.plain(grunts.scores()[:, 0], truth)
    calibrated = reliability(found.probabilities(everything.scores), everything)
    assert calibrated.ece < 0.05
    assert calibrated.log_loss < reliability(everything.scores, everything).log_loss
    assert study.calibration() == found


def test_a_classifier_of_before_calibration_still_opens(reef: Collection, grunts: Classifier):
    path = grunts.save("old", threshold=0.3)
    model = grunts.model
    about = {"name": "old", "run": RUN, "threshold": 0.3, "made_of": grunts.made_of}
    model.save(path, metadata=about)
    opened = reef.load_classifier("old")
    assert (opened.calibrations, opened.thresholds) == ({}, {"grunt": 0.3})
    assert "probability" not in opened.detections(0.3)
    newer = {"grunt": {"format": "explorer calibration", "version": 99}}
    model.save(path, metadata=about | {"calibration": newer})
    with pytest.raises(FormatVersionError, match=r"old\.safetensors: the calibration"):
        reef.load_classifier("old")
    model.save(path, metadata=about | {"calibration": {"grunt": {}}})
    with pytest.raises(CollectionError, match=r"old\.safetensors: its calibration"):
        reef.load_classifier("old")


def test_another_classifier_of_the_same_windows_is_calibrated_on_its_own_scores(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study(per_bin=60)
    answer(study, truth)
    cosine = reef.classifier({"grunt": np.flatnonzero(truth)[:6]}, method="birb")
    found = cosine.calibrate(study)
    assert found.scale == "logit"
    probability = found.probabilities(cosine.scores()[:, 0])
    assert probability.mean() == pytest.approx(truth.mean(), abs=0.05)
    learnt = reef.classifier(kind="centroid")
    assert "examples that this classifier learnt from" in learnt.calibrate(study).message


def test_a_study_of_another_run_or_class_cannot_calibrate(
    reef: Collection, grunts: Classifier, truth: np.ndarray
):
    study = grunts.study()
    answer(study, truth)
    noise = reef.classifier({"noise": np.flatnonzero(~truth)[:3]})
    with pytest.raises(ParameterError, match="study 'grunt' is of 'grunt', which is not among"):
        noise.calibrate(study)
    reef.embed(Listener(), hop_s=0.5, progress=False)
    other = reef.classifier({"grunt": [0, 1]})
    with pytest.raises(ParameterError, match="study 'grunt' is of windows of listener-1_1"):
        other.calibrate(study)
    before = dict(grunts.thresholds)
    with pytest.raises(ParameterError, match="no threshold is known"):
        grunts.calibrate(study, precision=0.9999)
    assert (grunts.thresholds, grunts.calibrations) == (before, {})


def test_in_a_run_of_overlapping_windows_an_answer_is_of_one_window(
    reef: Collection, truth: np.ndarray
):
    reef.embed(Listener(), hop_s=0.25, progress=False)
    grunts = reef.classifier({"grunt": 4 * np.flatnonzero(truth)[:6]})
    study = grunts.study()
    study.label(study.to_label(10).index, "positive", who="ana")
    assert (study.progress.answered, study.progress.early) == (10, 0)


# --- before and after ---------------------------------------------------------------------------


def test_more_answers_promise_a_narrower_interval_and_keep_the_promise(
    grunts: Classifier, truth: np.ndarray
):
    sizes = grunts.study_sizes()
    assert sizes["plus_minus"].is_monotonic_decreasing
    assert sizes["answers"].tolist()[:2] == [40, 100]
    assert sizes["answers"].iloc[-1] <= 720
    study = grunts.study(per_bin=50)
    answer(study, truth)
    found = study.density()
    promised = sizes.set_index("per_bin").loc[50, "plus_minus"]
    assert (found.high - found.low) / 2 < 2 * promised
    assert grunts.study_sizes(sites=["EAST"])["answers"].iloc[-1] <= 240


def test_the_report_holds_the_whole_and_each_site_and_a_sentence(
    grunts: Classifier, truth: np.ndarray
):
    study = grunts.study(per_bin=30)
    answer(study, truth)
    table = study.report()
    assert table["site"].tolist() == ["", *sorted(SITES)]
    assert table.loc[0, "density"] == study.density().value
    assert table.loc[1:, "windows"].sum() == table.loc[0, "windows"] == 720
    sentence = table.attrs["sentence"]
    for part in ("Navine et al. 2024", "720", "12 recordings at EAST, NORTH, WEST", "1 March 2026"):
        assert part in sentence
    assert f"{study.progress.positive} yes" in sentence
