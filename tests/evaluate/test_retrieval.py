"""BIRB's retrieval task: windows, labels, masks and numbers as published; honest on any labels."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from birb_corpus import (
    REAL_RATE,
    SITES,
    Clip,
    real_beds,
    real_clips,
    synthetic_beds,
    synthetic_clips,
    write_corpus,
)
from scipy.stats import t as student
from sklearn.metrics import average_precision_score, roc_auc_score
from small_recordings import RATE, Listener
from typer.testing import CliRunner

import explorer
from explorer.classify.centroid import NearestCentroid
from explorer.classify.metrics import cmap, mean_roc_auc
from explorer.classify.splits import SplitWarning
from explorer.cli.main import app
from explorer.collection.collection import Collection
from explorer.encoders.registry import load
from explorer.errors import ExplorerError, ParameterError
from explorer.evaluate.corpora import CORPORA, counting, held_by_windows, window_segments
from explorer.evaluate.draws import deal, examples_of, sides_of
from explorer.evaluate.findings import GEOMETRIC, MACRO
from explorer.evaluate.ranges import held_in, ranges_of
from explorer.evaluate.retrieval import retrieval
from explorer.evaluate.task import Task
from explorer.space.search import top_k

# --- golden -------------------------------------------------------------------------------------


@pytest.mark.golden
def test_windows_and_their_labels_equal_the_reference(shared: Path):
    cases = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    with np.load(shared / "golden" / "birb_windows.npz", allow_pickle=False) as stored:
        golden = dict(stored)
    for number in cases["birb_windows.npz"]["cases"]:
        start = f"c{number}_"
        case = {key.removeprefix(start): golden[key] for key in golden if key.startswith(start)}
        segments = case["segments"]
        window, hop = int(segments[0, 1] - segments[0, 0]), int(segments[1, 0] - segments[0, 0])
        np.testing.assert_array_equal(
            window_segments(len(case["audio"]), window, hop), segments, strict=True
        )
        rate = round(hop / float(case["stride_s"]))
        least = 1 if case["thr_s"] < 0 else int(rate * float(case["thr_s"]))
        held = held_by_windows(
            segments[:, 0],
            window,
            case["ann_start"],
            case["ann_end"],
            case["ann_label"],
            case["window_labels"].shape[1],
            least,
        )
        np.testing.assert_array_equal(held, case["window_labels"].astype(bool))


@pytest.fixture(scope="module")
def golden_search(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "birb_search.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def rtol(shared: Path) -> float:
    files = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    found = re.search(r"(\S+) float32", files["birb_search.npz"]["tol"])
    assert found
    return float(found[1])


def _golden_scores(golden: dict[str, np.ndarray], metric: str, k: int) -> np.ndarray:
    """Scores ``[n, n_classes]`` of the plain mean of the first k examples of each class."""
    corpus, examples = golden["corpus"], golden["representatives"][:, :k]
    if metric == "cosine":
        model = NearestCentroid.fit(
            {str(at): rows for at, rows in enumerate(examples)}, method="birb"
        )
        return model.scores(corpus)
    rows, values = top_k(corpus, examples.mean(axis=1), len(corpus), metric="dot")
    scores = np.empty_like(values)
    np.put_along_axis(scores, rows, values, axis=1)
    return scores.T


@pytest.mark.golden
def test_queries_masks_and_measures_equal_the_reference(golden_search, rtol):
    of, behind = golden_search["label"].astype(bool), golden_search["bg_label"].astype(bool)
    names = [re.fullmatch(r"roc_(.+)_(cosine|dot)_k(\d+)", key) for key in golden_search]
    seen = set()
    for corpus, metric, k in (name.groups() for name in names if name):
        seen.add(corpus)
        scores = _golden_scores(golden_search, metric, int(k))
        mask = counting(of, behind, corpus)
        key = f"{corpus}_{metric}_k{k}"
        wanted = {
            part: golden_search[f"{part}_{key}"] for part in ("roc", "ap", "geo", "macro", "cmap")
        }
        if f"scores_{key}" in golden_search:
            lengths = np.linalg.norm(golden_search["corpus"], axis=1).max()
            atol = rtol * (1 if metric == "cosine" else lengths)
            np.testing.assert_allclose(scores.T, golden_search[f"scores_{key}"], rtol, atol)
        for order in (False, True):
            auc = mean_roc_auc(of | behind, scores, mask=mask, reference_order=order)
            ap = cmap(of | behind, scores, mask=mask, reference_order=order)
            found = {
                "roc": auc.individual,
                "macro": auc.macro,
                "geo": auc.geometric,
                "ap": ap.individual,
                "cmap": ap.macro,
            }
            for part, value in found.items():
                np.testing.assert_allclose(value, wanted[part], rtol, err_msg=f"{part} {key}")
    assert seen == set(CORPORA)


@pytest.mark.golden
def test_default_finds_real_birds_in_real_soundscapes_better_than_the_plain_cosine(
    shared: Path, tmp_path: Path
):
    try:
        birdnet = load("birdnet", device="cpu")
    except ExplorerError as error:
        pytest.skip(str(error))
    clips = real_clips(shared, classes=4)
    table = write_corpus(tmp_path, clips, real_beds(shared), REAL_RATE, repeats=1)
    collection = explorer.open(tmp_path / "birds.collection", audio=tmp_path)
    collection.embed(birdnet, progress=False)
    collection.import_labels(table, who="maker")
    found = retrieval(collection, task=Task(shots=(4,), draws=5)).table()
    macro = found[found["class"] == MACRO].set_index("method")
    assert macro.loc["birb", "auc"] > 0.65
    assert macro.loc["centroid", "auc"] > macro.loc["birb", "auc"] + 0.03
    assert macro.loc["centroid", "ap"] > macro.loc["birb", "ap"]


# --- a small corpus that runs anywhere ----------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whistles in noise: twelve recordings, three sites, and some whistles by themselves."""
    made = tmp_path_factory.mktemp("birb")
    clips = synthetic_clips(RATE)
    focal = [clip for clip in clips if clip.group.endswith(" 5")]
    rest = [clip for clip in clips if not clip.group.endswith(" 5")]
    write_corpus(made, rest, synthetic_beds(RATE), RATE, focal=focal)
    return made


@pytest.fixture(scope="module")
def forest(folder: Path) -> Collection:
    collection = explorer.open(
        folder / "forest.collection", audio=folder, site_pattern=r"(?P<site>S\d)_"
    )
    collection.embed(Listener(), hop_s=0.5, progress=False)
    collection.embed(Long(), hop_s=1.0, progress=False)
    collection.import_labels(folder / "annotations.csv", who="maker")
    return collection


class Long(Listener):
    """Another encoder, with windows twice as long."""

    name = "long"
    window_s = 2.0

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        return super().encode(windows[:, :RATE]) + super().encode(windows[:, RATE:])


RUN = "listener-1_1.0s_hop0.5s"
SOUNDSCAPES = Task(shots=(1, 4), draws=2, methods=("birb",))


def test_made_corpora_hold_each_clip_where_the_table_says(tmp_path: Path):
    rate = 8000
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate // 2) / rate).astype(np.float32)
    clips = [Clip(tone, "tone", f"of {number}") for number in range(4)]
    silence = [np.zeros(rate, np.float32)]
    table = write_corpus(tmp_path, clips, silence, rate, recordings=2, gap_s=(1.0, 2.0))
    annotations = pd.read_csv(table)
    assert len(annotations) == 8
    import soundfile

    for name, part in annotations.groupby("recording"):
        sound, _ = soundfile.read(tmp_path / name)
        told = np.zeros(len(sound), bool)
        for start, end in zip(part["start_s"], part["end_s"], strict=True):
            told[round(start * rate) : round(end * rate)] = True
        assert np.abs(sound[~told]).max() == 0
        assert np.abs(sound[told]).max() > 0


def test_both_encoders_and_methods_find_whistles_better_with_more_examples(forest):
    found = retrieval(forest, task=Task(shots=(1, 8), draws=3))
    macro = found.table().query("`class` == @MACRO").set_index(["run", "method", "shots"])["auc"]
    assert set(macro.index.get_level_values("run")) == set(forest.catalogue.runs())
    assert set(macro.index.get_level_values("method")) == {"birb", "centroid"}
    assert (macro > 0.6).all()
    assert macro.xs(8, level="shots").mean() > macro.xs(1, level="shots").mean()


def test_measures_of_a_draw_equal_those_made_by_hand(forest):
    task = replace(SOUNDSCAPES, groups="none", draws=1, shots=(4,))
    found = retrieval(forest, [RUN], task).measured.set_index("class")
    ranges = ranges_of(forest)
    held = held_in(forest, RUN, ranges)
    side = sides_of(forest.recordings, ranges, task)[0]
    drawn = examples_of(forest.index(RUN), held, ranges, side, task, 0)
    windows = forest.windows(run=RUN)
    rows = np.asarray(forest.embeddings(RUN), np.float64)
    labels = forest.labels()
    for name, positions in zip(ranges.classes, drawn, strict=True):
        examples = held.windows.rows[positions]
        query = rows[examples].mean(axis=0)
        cosine = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
        truth, labelled = np.zeros((2, len(rows)), bool)
        for label in labels.itertuples():
            here = windows["recording_id"] == label.recording_id
            start = (windows["start_s"] * RATE).round()
            # The last window of a recording is padded to its full length.
            common = np.minimum(start + RATE, round(label.end_s * RATE)) - np.maximum(
                start, round(label.start_s * RATE)
            )
            touched = here & (common >= 1)
            labelled |= touched
            truth |= touched & (label[labels.columns.get_loc("class") + 1] == name)
        labelled[examples] = False
        assert found.loc[name, "positives"] == (truth & labelled).sum()
        assert found.loc[name, "windows"] == labelled.sum()
        auc = roc_auc_score(truth[labelled], cosine[labelled])
        ap = average_precision_score(truth[labelled], cosine[labelled])
        assert found.loc[name, "auc"] == pytest.approx(auc, abs=1e-4)
        assert found.loc[name, "ap"] == pytest.approx(ap, abs=1e-3)


def test_means_and_intervals_are_those_of_the_draws(forest):
    found = retrieval(forest, [RUN], replace(SOUNDSCAPES, draws=4, shots=(2,)))
    table = found.table().set_index("class")
    wide = found.measured.pivot(index="draw", columns="class", values="auc")
    for name, by_draw in {
        "whistle 0": wide["whistle 0"],
        MACRO: wide.mean(axis=1),
        GEOMETRIC: np.exp(np.log(wide).mean(axis=1)),
    }.items():
        half = student.ppf(0.975, 3) * by_draw.std(ddof=1) / 2
        assert table.loc[name, "auc"] == pytest.approx(by_draw.mean())
        assert table.loc[name, "auc_low"] == pytest.approx(by_draw.mean() - half)
        assert table.loc[name, "auc_high"] == pytest.approx(min(1, by_draw.mean() + half))
    assert table.loc[MACRO, "classes"] == 4


def test_the_same_seed_gives_the_same_draws_and_another_one_others(forest):
    first, again, other = (
        retrieval(forest, [RUN], replace(SOUNDSCAPES, seed=seed)).measured for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first["auc"].mean(), other["auc"].mean())


# --- what is kept apart -------------------------------------------------------------------------


@pytest.mark.parametrize("groups", ["recording", "site"])
def test_no_recording_or_site_gives_examples_and_is_ranked(forest, groups):
    task = replace(SOUNDSCAPES, groups=groups, draws=5)
    if groups == "site":
        forest = _only_soundscapes(forest)
    ranges = ranges_of(forest)
    of = forest.recordings[groups].to_numpy()
    all_sides = sides_of(forest.recordings, ranges, task)
    for side in all_sides:
        assert not set(of[side.giving]) & set(of[side.ranked])
    assert len({side.giving.tobytes() for side in all_sides}) > 1
    assert not retrieval(forest, [RUN], task).measured.empty


class _Part:
    """A collection of which only the labels in soundscapes are known."""

    def __init__(self, whole: Collection) -> None:
        self._whole = whole

    def __getattr__(self, name: str):
        return getattr(self._whole, name)

    def labels(self) -> pd.DataFrame:
        labels = self._whole.labels()
        return labels[labels["recording"].str.startswith("soundscapes")]


def _only_soundscapes(collection: Collection) -> _Part:
    return _Part(collection)


def test_clips_cut_from_one_recording_can_be_kept_together(forest):
    together = {name: "one night" for name in forest.recordings["recording"] if SITES[0] in name}
    task = replace(SOUNDSCAPES, groups=together)
    night = forest.recordings["recording"].isin(together).to_numpy()
    for side in sides_of(forest.recordings, ranges_of(forest), task):
        assert side.giving[night].all() or side.ranked[night].all()


def test_examples_of_fewer_shots_are_the_first_of_more_and_every_run_hears_the_same(forest):
    ranges = ranges_of(forest)
    task = replace(SOUNDSCAPES, shots=(4,))
    side = sides_of(forest.recordings, ranges, task)[0]
    heard = {}
    for run in forest.catalogue.runs():
        held = held_in(forest, run, ranges)
        four, two = (
            examples_of(forest.index(run), held, ranges, side, replace(task, shots=(k,)), 0)
            for k in (4, 2)
        )
        assert all(
            more[:2].tolist() == fewer.tolist() for more, fewer in zip(four, two, strict=True)
        )
        rows = held.windows.rows[np.concatenate(four)]
        heard[run] = forest.windows(rows, run)
    short, long = (heard[run] for run in forest.catalogue.runs())
    assert short["recording"].tolist() == long["recording"].tolist()
    gap = np.maximum(short["start_s"].to_numpy(), long["start_s"].to_numpy()) - np.minimum(
        short["end_s"].to_numpy(), long["end_s"].to_numpy()
    )
    assert (gap < 0).mean() > 0.9


def test_birbs_way_leaves_out_the_examples_of_a_class_alone(forest):
    one = retrieval(forest, [RUN], replace(SOUNDSCAPES, groups="none", shots=(1, 4)))
    windows = one.measured.groupby("shots")["windows"].unique()
    assert windows[1].tolist() == [windows[4][0] + 3]
    assert "flatter" in str(one)


def test_keeping_moments_apart_leaves_out_every_window_that_touches_an_example(forest):
    task = replace(SOUNDSCAPES, groups="time", shots=(1,))
    ranges = ranges_of(forest)
    held = held_in(forest, RUN, ranges)
    side = sides_of(forest.recordings, ranges, task)[0]
    drawn = np.concatenate(examples_of(forest.index(RUN), held, ranges, side, task, 0))
    table = forest.windows(held.windows.rows, RUN)
    touching = set()
    for row in table.iloc[drawn].itertuples():
        near = (table["start_s"] - row.start_s).abs() < 1.0
        touching |= set(np.flatnonzero(near & (table["recording_id"] == row.recording_id)))
    assert held.touching(drawn).tolist() == sorted(touching)
    ranked = retrieval(forest, [RUN], task).measured.query("draw == 0")["windows"]
    judged = (held.foreground.any(axis=1)).sum()
    assert ranked.iloc[0] == judged - held.foreground[sorted(touching)].any(axis=1).sum()


def test_examples_can_come_from_recordings_that_are_named(forest):
    task = replace(SOUNDSCAPES, examples="focal/*", shots=(1, 2))
    found = retrieval(forest, [RUN], task)
    side = sides_of(forest.recordings, ranges_of(forest), task)[0]
    focal = forest.recordings["recording"].str.startswith("focal/").to_numpy()
    assert (side.giving == focal).all()
    assert (side.ranked == ~focal).all()
    assert found.measured["positives"].min() > 0
    with pytest.raises(ParameterError, match="no recording has a name like 'nothing"):
        retrieval(forest, [RUN], replace(task, examples="nothing/*"))
    with pytest.raises(ParameterError, match="nothing is left to be ranked"):
        retrieval(forest, [RUN], replace(task, examples="*"))


def test_groups_are_dealt_so_that_each_half_has_some_of_a_rare_class():
    counts = np.zeros((20, 2), np.int64)
    counts[:, 0], counts[[3, 11], 1] = 5, 1
    for seed in range(20):
        giving = deal(counts, np.random.default_rng(seed))
        assert counts[giving, 1].sum() == 1
        assert 8 <= giving.sum() <= 12


# --- classes that cannot be measured ------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, folder: Path) -> Collection:
    """The same recordings without labels."""
    collection = explorer.open(tmp_path / "small.collection", audio=folder / "soundscapes")
    collection.embed(Listener(), progress=False)
    return collection


def _label(
    collection: Collection, recording: int, class_: str, judgement="positive", *, count=3, at=0.0
):
    name = collection.recordings["recording"].iloc[recording]
    starts = at + np.arange(count) * 2.0
    ranges = pd.DataFrame({"recording": name, "start_s": starts, "end_s": starts + 1})
    collection.label_ranges(ranges.assign(**{"class": class_, "judgement": judgement}), who="me")


def test_a_class_of_one_recording_is_left_out_with_a_warning(small):
    for recording in range(4):
        _label(small, recording, "common")
    _label(small, 5, "lonely")
    with pytest.warns(SplitWarning, match="lonely: all examples come from one recording"):
        found = retrieval(small, task=Task(shots=(1,), draws=6))
    reasons = found.dropped().set_index("class")["reason"]
    assert set(reasons["lonely"]) == {"too few examples to draw from", "nothing of it to find"}
    assert "lonely" not in set(found.measured["class"])


@pytest.mark.filterwarnings("ignore::explorer.classify.splits.SplitWarning")
def test_one_recording_alone_is_refused_unless_only_moments_are_kept_apart(small):
    _label(small, 0, "call", count=5)
    _label(small, 0, "noise", "negative", count=1)
    with pytest.raises(ParameterError, match="from more recordings"):
        retrieval(small, task=Task(shots=(1,)))
    _label(small, 0, "hum", count=2, at=10)
    assert not retrieval(small, task=Task(shots=(1,), groups="time")).measured.empty


def test_classes_with_too_few_examples_are_listed_with_how_many_there_are(forest):
    found = retrieval(forest, [RUN], replace(SOUNDSCAPES, shots=(1, 16), groups="none"))
    many = retrieval(forest, [RUN], replace(SOUNDSCAPES, shots=(1, 500), groups="none"))
    assert found.dropped().empty
    dropped = many.dropped()
    assert set(dropped["reason"]) == {"too few examples to draw from"}
    assert set(dropped["shots"]) == {500}
    assert (dropped["draws"] == 2).all()
    positives = held_in(forest, RUN, ranges_of(forest)).foreground.sum(axis=0)
    assert (dropped["examples"].to_numpy() <= positives).all()
    first = dropped.iloc[0]
    few = f"at 500, too few examples to draw from: {first['class']} ({first['examples']}), whistle"
    assert few in str(many)


def test_unsure_windows_do_not_count_and_refused_ones_are_ranked(small):
    for recording in range(4):
        _label(small, recording, "call")
        _label(small, recording, "hum", count=1, at=6)
    task = Task(shots=(1,), draws=1, methods=("birb",))
    plain = retrieval(small, task=task).measured.set_index("class")
    for recording in range(8):
        _label(small, recording, "call", "unsure", count=1, at=10)
        _label(small, recording, "hum", "negative", count=1, at=10)
    found = retrieval(small, task=task).measured.set_index("class")
    more = found["windows"] - plain["windows"]
    # Two of the first four recordings are ranked, and all of the next four, which give nothing.
    assert more["hum"] == 6
    assert more["call"] == 0


def test_windows_that_nobody_labelled_are_ranked_only_when_asked_for(forest):
    few, all_ = (
        retrieval(forest, [RUN], replace(SOUNDSCAPES, draws=1, shots=(1,), ranked=ranked)).measured
        for ranked in ("labelled", "all")
    )
    assert (all_["windows"] > few["windows"]).all()
    assert (all_["positives"] == few["positives"]).all()


# --- foreground and background ------------------------------------------------------------------


def test_background_classes_count_by_their_whole_name_in_the_corpus_that_asks(small):
    names = small.recordings["recording"].tolist()
    for recording, class_ in enumerate(["owl", "owl", "owl", "barred owl", "barred owl", "fox"]):
        _label(small, recording, class_, count=1)
    heard = pd.DataFrame(
        {"recording": [names[2], names[3], names[5]], "class": ["barred owl", "owl", "owl"]}
    )
    per = small.index().recording_id
    in_recording = [(per == at).sum() for at in small.recordings.index]
    task = Task(shots=(1,), draws=1, groups="none", methods=("birb",))
    found = {
        corpus: retrieval(
            small, task=replace(task, corpus=corpus), background=heard
        ).measured.set_index("class")
        for corpus in ("xc_fg", "xc_bg")
    }
    # Where owls were recorded: recordings 0 to 2, less the example; 3 and 5 have one behind.
    fore, behind = sum(in_recording[:3]) - 1, in_recording[3] + in_recording[5]
    assert found["xc_fg"].loc["owl", "positives"] == fore
    assert found["xc_fg"].loc["owl", "windows"] == sum(in_recording[:6]) - behind - 1
    assert found["xc_bg"].loc["owl", "positives"] == behind
    assert found["xc_bg"].loc["owl", "windows"] == sum(in_recording[3:6])
    # "barred owl" is heard behind recording 2 alone, and is no "owl".
    assert found["xc_bg"].loc["barred owl", "positives"] == in_recording[2]
    with pytest.raises(ParameterError, match="no column class"):
        retrieval(small, task=task, background=heard.drop(columns="class"))
    with pytest.raises(ParameterError, match="none of the 1 recordings"):
        retrieval(small, task=task, background=heard[:1].assign(recording="elsewhere.wav"))


# --- ties, orders and refusals ------------------------------------------------------------------


class Deaf(Listener):
    """Hears the same in every window."""

    name = "deaf"

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(windows), self.dimension)


def test_an_encoder_that_hears_nothing_is_at_chance_whatever_the_order(forest):
    forest.embed(Deaf(), progress=False)
    fair, by_order = (
        retrieval(forest, ["deaf-1_1.0s"], replace(SOUNDSCAPES, reference_order=order)).measured
        for order in (False, True)
    )
    assert (fair["auc"] == 0.5).all()
    assert (by_order["auc"] != 0.5).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shots": ()}, "shots of 1 or more"),
        ({"draws": 0}, "1 draw or more"),
        ({"methods": ("magic",)}, "'magic' is not known"),
        ({"corpus": "zoo"}, "corpus 'zoo' is not known"),
        ({"groups": "species"}, "groups 'species' is not known"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        Task(**wrong)


def test_what_is_missing_is_said_with_the_cure(small, tmp_path, folder):
    with pytest.raises(ParameterError, match="explorer import"):
        retrieval(small)
    _label(small, 0, "call")
    with pytest.raises(ParameterError, match="no window of small is labelled grunt"):
        retrieval(small, task=Task(classes=["grunt"]))
    with pytest.raises(ParameterError, match="has no run nothing"):
        retrieval(small, ["nothing"])
    bare = explorer.open(tmp_path / "bare.collection", audio=folder / "focal")
    _label(bare, 0, "call", count=1)
    with pytest.raises(ParameterError, match="nothing is embedded yet"):
        retrieval(bare)
    nowhere = small.recordings.assign(site=None)
    with pytest.raises(ParameterError, match="1 labelled recordings have no site"):
        sides_of(nowhere, ranges_of(small), Task(groups="site"))


# --- how it is shown ----------------------------------------------------------------------------


def test_result_is_shown_as_a_text_and_in_a_notebook(forest):
    told = []
    found = retrieval(forest, [RUN], SOUNDSCAPES, on_progress=lambda *step: told.append(step))
    assert told == [(1, 2, RUN), (2, 2, RUN)]
    assert "ROC-AUC" in str(found)
    assert "never come from a recording that is ranked" in str(found)
    assert found.by_class().loc["whistle 1", (RUN, "birb", 4)] == pytest.approx(
        found.measured.query("`class` == 'whistle 1' and shots == 4")["auc"].mean()
    )
    assert "whistle 1" in found._repr_html_()


def test_command_prints_the_means_and_writes_every_class(forest, tmp_path):
    out = tmp_path / "classes.csv"
    done = CliRunner().invoke(
        app,
        [
            *("evaluate", "retrieval", str(forest.path), "--run", RUN),
            *("--shots", "1,2", "--draws", "2", "--out", str(out)),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "centroid" in done.output
    assert str(out) in done.output
    written = pd.read_csv(out)
    assert set(written["class"]) == {*(f"whistle {n}" for n in range(4)), MACRO, GEOMETRIC}
    assert {"positives", "auc", "auc_low", "auc_high", "ap"} <= set(written)
