"""A classifier made at one place, used at another that has another recorder."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from places import CLASSES, place
from safetensors import safe_open
from safetensors.torch import save_file
from small_recordings import Listener
from typer.testing import CliRunner

import explorer
from explorer import cli
from explorer.classify.adaptation_training import AdaptationCancelled
from explorer.classify.calibration import Calibration
from explorer.classify.metrics import macro_mean, roc_auc
from explorer.collection.classifier import Classifier
from explorer.collection.classifier_files import VERSION
from explorer.collection.collection import Collection
from explorer.errors import CollectionError, FormatVersionError, ParameterError

SEED = 1
EXAMPLES = 6

Place = tuple[Collection, NDArray[np.str_]]


@pytest.fixture(scope="module")
def reef(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return place(tmp_path_factory.mktemp("a") / "reef", seed=SEED)


@pytest.fixture(scope="module")
def lagoon(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The same animals on another recorder."""
    return place(tmp_path_factory.mktemp("b") / "lagoon", seed=SEED + 100, another_recorder=True)


@pytest.fixture(scope="module")
def cove(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The same animals on the same recorder."""
    return place(tmp_path_factory.mktemp("c") / "cove", seed=SEED + 200)


@pytest.fixture(scope="module")
def file(reef: Place) -> Path:
    return classifier_of(reef).save("both")


@pytest.fixture(scope="module")
def adapted(lagoon: Place, file: Path) -> Classifier:
    return lagoon[0].load_classifier(file).adapt(progress=False)


def classifier_of(where: Place, kind: str = "centroid") -> Classifier:
    collection, truth = where
    rng = np.random.default_rng(SEED)
    examples = {name: rng.permutation(np.flatnonzero(truth == name))[:EXAMPLES] for name in CLASSES}
    return collection.classifier(examples, kind=kind)  # type: ignore[arg-type]


def auc(classifier: Classifier, truth: NDArray[np.str_]) -> float:
    """Mean ROC-AUC over all windows of a place: none of its labels was learnt from."""
    return macro_mean(roc_auc(truth[:, None] == np.array(CLASSES), classifier.scores()))


def label(where: Place, rows: NDArray[np.int64]) -> list[int]:
    """Judge windows for every class; gives the events, to take them back."""
    collection, truth = where
    events = []
    for name in CLASSES:
        yes, no = rows[truth[rows] == name], rows[truth[rows] != name]
        events += collection.label(yes, name, "positive", who="ana")
        events += collection.label(no, name, "negative", who="ana")
    return events


def rewrite(path: Path, to: Path, change: dict[str, object], *, without: tuple[str, ...]) -> Path:
    """A classifier's file as another version of the program would have written it."""
    with safe_open(path, framework="pt") as opened:
        about = json.loads(opened.metadata()["explorer"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    said = {key: value for key, value in about["metadata"].items() if key not in without}
    about["metadata"] = said | change
    to.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, to, metadata={"explorer": json.dumps(about)})
    return to


# Opening ------------------------------------------------------------------------------------------


def test_a_classifier_of_another_place_is_used_as_it_is(lagoon: Place, file: Path) -> None:
    loaded = lagoon[0].load_classifier(str(file))
    assert loaded.scores().shape == (lagoon[0].n_windows(), 2)
    assert loaded.origin is not None
    assert loaded.origin.collection == "reef"
    assert loaded.made_of == {}, "rows of another place must not be taken for rows of this one"


def test_what_scores_mean_at_one_place_is_not_claimed_at_another(
    reef: Place, lagoon: Place
) -> None:
    made = classifier_of(reef)
    made.calibrations = {"grunt": Calibration("platt", "probability", 1, 0, (1, 1, 0), 30, 30)}
    path = made.save("calibrated")
    assert reef[0].load_classifier("calibrated").calibrations
    assert not lagoon[0].load_classifier(path).calibrations


def test_the_file_of_a_classifier_of_this_place_is_that_classifier(reef: Place, file: Path) -> None:
    assert reef[0].load_classifier(file).name == "both"


def test_another_window_is_refused_with_the_cure(file: Path, tmp_path: Path) -> None:
    other, _ = place(tmp_path / "short", seed=5, count=1)
    listener = Listener()
    listener.window_s = 2.0
    again = explorer.open(tmp_path / "other.collection", audio=tmp_path / "short" / "audio")
    again.embed(listener, progress=False)
    with pytest.raises(CollectionError, match=r"explorer embed .* --encoder listener --window 1"):
        again.load_classifier(file)
    assert other.load_classifier(file).run == "listener-1_1.0s"


def test_a_missing_file_is_named(reef: Place, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no such file"):
        reef[0].load_classifier(tmp_path / "nothing.safetensors")


# Adapting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_adapting_helps_on_another_recorder(
    reef: Place, lagoon: Place, tmp_path: Path, kind: str
) -> None:
    made = classifier_of(reef, kind)
    source = lagoon[0].load_classifier(made.save(f"a {kind}"))
    before = auc(source, lagoon[1])
    assert auc(source.adapt(progress=False), lagoon[1]) > before + 0.03
    assert auc(source, lagoon[1]) == before


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_adapting_does_no_harm_where_nothing_has_changed(
    reef: Place, cove: Place, kind: str
) -> None:
    source = cove[0].load_classifier(classifier_of(reef, kind).save(f"no change {kind}"))
    assert auc(source.adapt(progress=False), cove[1]) > auc(source, cove[1]) - 0.02


@pytest.mark.parametrize("kind", ["centroid", "probe"])
def test_methods_that_train_adapt_both_kinds(reef: Place, lagoon: Place, kind: str) -> None:
    source = lagoon[0].load_classifier(classifier_of(reef, kind).save(f"notela {kind}"))
    adapted = source.adapt("notela", epochs=2, progress=False)
    assert adapted.adaptation is not None
    assert len(adapted.adaptation.history) == 2
    assert auc(adapted, lagoon[1]) > auc(source, lagoon[1])


def test_the_source_is_given_back(adapted: Classifier, lagoon: Place, file: Path) -> None:
    as_it_is = lagoon[0].load_classifier(file)
    assert (adapted.scores() != as_it_is.scores()).any()
    np.testing.assert_array_equal(adapted.undone.scores(), as_it_is.scores())


def test_an_adapted_classifier_reopens_and_scores_the_same(
    adapted: Classifier, lagoon: Place, file: Path
) -> None:
    path = adapted.save("adapted", threshold=0.4)
    again = explorer.open(lagoon[0].path).load_classifier("adapted")
    np.testing.assert_array_equal(again.scores(), adapted.scores())
    np.testing.assert_array_equal(again.undone.scores(), lagoon[0].load_classifier(file).scores())
    assert set(again.thresholds.values()) == {0.4}
    assert again.adaptation is not None
    assert again.adaptation.to_dict() == adapted.adaptation.to_dict()  # type: ignore[union-attr]
    assert again.origin is not None
    assert again.origin.collection == "reef"
    assert lagoon[0].check().empty
    assert path.parent == lagoon[0].path / "classifiers"


def test_it_can_be_adapted_to_a_third_place_from_its_source(
    adapted: Classifier, reef: Place, cove: Place
) -> None:
    there = cove[0].load_classifier(adapted.save("to go on"))
    again = there.adapt(progress=False)
    assert again.adaptation is not None
    assert again.adaptation.collection == "cove"
    assert again.adaptation.gamma == pytest.approx(1, abs=0.35)  # nothing has changed since reef


def test_detections_know_nothing_of_it(adapted: Classifier) -> None:
    found = adapted.detections(0.5)
    assert set(found["class"]) <= set(CLASSES)
    assert len(found)


def test_no_copy_of_the_embeddings_is_kept(lagoon: Place, file: Path) -> None:
    fresh = explorer.open(lagoon[0].path)
    fresh.load_classifier(file).adapt(progress=False).scores()
    assert not [key for key in fresh._kept if key[0] == "prepared"]


def test_progress_is_told_and_can_be_stopped(lagoon: Place, file: Path) -> None:
    source = lagoon[0].load_classifier(file)
    told: list[float] = []
    source.adapt("tent", epochs=2, progress=lambda share, doing: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1

    def interrupt(share: float, doing: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.adapt("tent", progress=interrupt)
    stop = threading.Event()
    stop.set()
    with pytest.raises(AdaptationCancelled):
        source.adapt("tent", progress=False, cancel=stop)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [("noteler", {}, "use adabn, notela"), ("notela", {"epoch": 3}, "there are: .*epochs")],
)
def test_what_is_not_known_is_refused(
    lagoon: Place, file: Path, method: str, settings: dict[str, int], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        lagoon[0].load_classifier(file).adapt(method, progress=False, **settings)  # type: ignore[arg-type]


# Files of other versions --------------------------------------------------------------------------


def test_a_file_from_before_adapting_loads_and_says_what_is_missing(
    lagoon: Place, file: Path, tmp_path: Path
) -> None:
    old = rewrite(
        file,
        tmp_path / "old reef.collection" / "classifiers" / "both.safetensors",
        {},
        without=("version", "origin", "adaptation"),
    )
    loaded = lagoon[0].load_classifier(old)
    assert len(loaded.scores()) == lagoon[0].n_windows()
    with pytest.raises(ParameterError, match=r"mean and spread of .* in old reef.*save it again"):
        loaded.adapt(progress=False)
    loaded.adapt("tent", standardise=False, epochs=1, progress=False)


def test_saving_an_old_file_again_at_home_measures_what_was_missing(
    reef: Place, cove: Place
) -> None:
    path = classifier_of(reef).save("of old")
    rewrite(path, path, {}, without=("version", "origin", "adaptation"))
    again = reef[0].load_classifier("of old").save()
    cove[0].load_classifier(again).adapt(progress=False)


def test_a_file_of_a_newer_program_is_refused(lagoon: Place, file: Path, tmp_path: Path) -> None:
    newer = rewrite(file, tmp_path / "newer.safetensors", {"version": VERSION + 1}, without=())
    with pytest.raises(FormatVersionError, match="pip install -U"):
        lagoon[0].load_classifier(newer)


def test_a_damaged_adaptation_is_refused_by_name(lagoon: Place, file: Path, tmp_path: Path) -> None:
    damaged = rewrite(file, tmp_path / "damaged.safetensors", {"adaptation": {}}, without=())
    with pytest.raises(CollectionError, match=r"damaged\.safetensors.*adapt the classifier again"):
        lagoon[0].load_classifier(damaged)


# Evidence -----------------------------------------------------------------------------------------


def test_labels_of_the_new_place_decide_to_keep_it(adapted: Classifier, lagoon: Place) -> None:
    events = label(lagoon, np.arange(lagoon[0].n_windows()))
    try:
        found = adapted.comparison(progress=False)
    finally:
        lagoon[0].undo(events, who="ana")
    assert found.on_labels
    assert found.verdict == "keep"
    assert found.sentence.startswith(
        "Keep it: on 200 labelled windows, with examples in 9 recordings"
    )
    mean = found.table.set_index(["class", "measure"]).loc[("mean of 2", "ROC-AUC")]
    assert 0 < mean["low"] < mean["change"] < mean["high"]
    assert mean["after"] == pytest.approx(auc(adapted, lagoon[1]), abs=1e-4)
    assert set(found.table["basis"]) == {"labels"}


def test_where_nothing_has_changed_the_advice_is_not_to_keep_it(reef: Place, file: Path) -> None:
    collection, _ = reef
    again = explorer.open(collection.path.parent / "again.collection", collection.path / "../audio")
    again.embed(Listener(), progress=False)
    adapted = again.load_classifier(file).adapt(progress=False)
    assert "it changes nothing" in adapted.comparison(progress=False).sentence
    label((again, reef[1]), np.arange(again.n_windows()))
    found = adapted.comparison(progress=False)
    assert found.verdict == "do not keep"
    assert "makes no difference that matters" in found.sentence


def test_a_classifier_that_adapting_has_spoilt_is_not_kept(lagoon: Place, file: Path) -> None:
    adapted = lagoon[0].load_classifier(file).adapt(progress=False)
    assert adapted.adaptation is not None
    adapted.adaptation.gamma[:] *= -1
    events = label(lagoon, np.arange(lagoon[0].n_windows()))
    try:
        found = adapted.comparison(progress=False)
    finally:
        lagoon[0].undo(events, who="ana")
    assert found.verdict == "do not keep"
    assert "is worse" in found.sentence


def test_a_few_labels_ask_for_more(adapted: Classifier, lagoon: Place) -> None:
    """Two recordings are too few witnesses, whatever their windows say."""
    events = label(lagoon, np.arange(40))
    try:
        found = adapted.comparison(progress=False)
    finally:
        lagoon[0].undo(events, who="ana")
    assert found.verdict == "label more"
    assert found.labels_wanted >= 30
    assert "label in others" in found.sentence
    assert found.table["low"].isna().all()


def test_positives_alone_are_measured_against_windows_that_nobody_judged(
    adapted: Classifier, lagoon: Place
) -> None:
    """Imported annotations say where a sound is, and never where it is not."""
    collection, truth = lagoon
    events = collection.label(np.flatnonzero(truth == "grunt"), "grunt", who="ana")
    try:
        found = adapted.comparison(progress=False)
    finally:
        collection.undo(events, who="ana")
    assert found.on_labels
    assert set(found.table["class"]) == {"grunt"}
    assert "Nobody has said what is not grunt" in found.sentence


def test_without_labels_an_estimate_is_named_as_one(adapted: Classifier) -> None:
    found = adapted.comparison(progress=False)
    assert not found.on_labels
    assert set(found.table["basis"]) == {"estimate without labels"}
    assert found.verdict == "label more", "nobody can know without labels"
    assert found.labels_wanted == 60
    assert "estimate" in found.sentence
    assert "<table" in found._repr_html_()


def test_an_estimate_warns_of_a_class_that_takes_over(lagoon: Place, file: Path) -> None:
    adapted = lagoon[0].load_classifier(file).adapt(progress=False)
    assert adapted.adaptation is not None
    adapted.adaptation.gamma[:] = 0  # every window is the same window now: an example
    adapted.adaptation.beta[:] = adapted.model.examples["grunt"][0].numpy()  # type: ignore[union-attr]
    found = adapted.comparison(progress=False)
    assert (found.verdict, found.advised) == ("label more", False)
    assert "Do not rely on it" in found.sentence


def test_plain_cosines_are_adapted_and_not_estimated(reef: Place, lagoon: Place) -> None:
    collection, truth = reef
    rows = {name: np.flatnonzero(truth == name)[:4] for name in CLASSES}
    path = collection.classifier(rows, method="birb").save("cosines")
    adapted = lagoon[0].load_classifier(path).adapt(progress=False)
    assert (adapted.scores() != adapted.undone.scores()).any()
    assert "nothing can be estimated" in adapted.comparison(progress=False).sentence


def test_what_is_not_adapted_has_nothing_to_compare(lagoon: Place, file: Path) -> None:
    with pytest.raises(ParameterError, match="not adapted"):
        lagoon[0].load_classifier(file).comparison()


# The command line ---------------------------------------------------------------------------------


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_the_command_says_what_changes_and_saves_only_when_told(lagoon: Place, file: Path) -> None:
    said = run("adapt", lagoon[0].path, "--classifier", file)
    assert "Adapted to 200 windows of lagoon (adabn)." in said
    assert "estimate without labels" in said
    assert "Nothing was saved" in said
    said = run("adapt", lagoon[0].path, "--classifier", file, "--save", "here")
    assert "Saved as" in said
    assert "here" in lagoon[0].classifiers["name"].tolist()
    assert "detections" in run("classify", lagoon[0].path, "--classifier", "here")


def test_the_command_does_not_save_what_is_worse(
    lagoon: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explorer.collection import comparison

    worse = comparison.Comparison(
        "do not keep", "Do not keep it.", comparison.pd.DataFrame(), on_labels=True, advised=False
    )
    monkeypatch.setattr(comparison, "compare", lambda classifier, **options: worse)
    command = ("adapt", lagoon[0].path, "--classifier", file, "--save", "worse")
    assert "Not saved" in run(*command, status=1)
    assert "worse" not in lagoon[0].classifiers["name"].tolist()
    run(*command, "--anyway")
    assert "worse" in lagoon[0].classifiers["name"].tolist()


def test_the_command_can_be_stopped(
    lagoon: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Classifier, "adapt", interrupted)
    said = run("adapt", lagoon[0].path, "--classifier", file, "--save", "half", status=130)
    assert "Nothing was changed or saved" in said
    assert "half" not in lagoon[0].classifiers["name"].tolist()
