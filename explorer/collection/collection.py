"""The one object that a notebook, the dashboard and the command line hold: a collection."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explorer.audio.band import Band
from explorer.audio.windows import WindowGrid
from explorer.collection import labels as label_log
from explorer.collection.archive import Archive, Rows
from explorer.collection.catalogue import Run
from explorer.errors import EncoderError, ParameterError

if TYPE_CHECKING:
    from explorer.audio.recordings import Scan
    from explorer.classify.background import Background, Prepared
    from explorer.collection.agreement import Disagreements
    from explorer.collection.classifier import Classifier, Threshold
    from explorer.collection.exercise_clips import Source
    from explorer.collection.exercises import Exercise
    from explorer.collection.handover import Format, ImportReport
    from explorer.collection.health import HealthProgress, HealthReport
    from explorer.collection.learning import Kind
    from explorer.collection.map_layers import Clusters
    from explorer.collection.places import SitesReport
    from explorer.collection.progress import EmbedProgress, EmbedReport
    from explorer.collection.query import Query
    from explorer.collection.results import SearchHits
    from explorer.collection.species import Species
    from explorer.collection.study import Study
    from explorer.encoders.base import Encoder
    from explorer.space.faithfulness import Faithfulness
    from explorer.space.search import Metric


def open(
    path: str | Path,
    audio: str | Path | None = None,
    *,
    timezone: str | None = None,
    site_pattern: str | None = None,
    catalogue: str | None = None,
    embeddings: str | None = None,
) -> Collection:
    """Open a collection, making it if it is not there, and enter the recordings of a folder.

    Parameters
    ----------
    path
        Folder of the collection, by custom ``NAME.collection``.
    audio
        Folder of recordings; they stay where they are and are never written to.
    timezone
        Zone of start times that carry none, such as ``"Australia/Brisbane"`` or ``"+10:00"``.
    site_pattern
        Regular expression with a group ``site``, matched against each recording's name.
    catalogue
        SQLAlchemy address of a database that holds the catalogue, instead of the file in the
        folder; one database for each collection.
    embeddings
        fsspec address of object storage for embeddings (``s3://…``); the folder caches them.

    Examples
    --------
    >>> reef = open("reef.collection", audio="recordings/")   # doctest: +SKIP
    >>> reef.embed()                                          # doctest: +SKIP
    """
    collection = Collection(path, catalogue=catalogue, embeddings=embeddings)
    if audio is not None:
        collection.add(audio, timezone=timezone, site_pattern=site_pattern)
    return collection


class Collection(Archive):
    """Recordings, their embeddings, labels and classifiers in one folder.

    The usual way::

        reef = explorer.open("reef.collection", audio="recordings/")
        reef.embed()                                        # resumable, with a progress bar
        hits = reef.search("grunt.wav", k=50)               # what sounds like this?
        grunts = reef.classifier({"grunt": hits.index[:4]}) # a classifier from four examples
        grunts.next_to_label(20)                            # what to listen to next, and why
        grunts.quality()                                    # what it finds in recordings left out
        grunts.detections(threshold=0.8).to_raven("out/")
        reef.explore()                                      # all this with a map, by hand and ear

    A *window* is named by its row, a whole number that stays the same for one run (encoder, window
    length, hop). Methods take ``run=None`` for the newest run.
    """

    def __init__(
        self, path: str | Path, *, catalogue: str | None = None, embeddings: str | None = None
    ) -> None:
        super().__init__(path, catalogue=catalogue, embeddings=embeddings)
        self._encoders: dict[str, Encoder] = {}

    # --- recordings and embeddings ----------------------------------------------------------

    def add(
        self,
        audio: str | Path,
        *,
        timezone: str | None = None,
        site_pattern: str | None = None,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Scan:
        """Enter the recordings under a folder; give what was found and what was left out.

        The settings are remembered, so that a later scan of the same collection uses them again.
        Where it takes more than a moment a bar shows how far it is (``progress``: that; or a
        function that is told the number done, and of how many; or False).
        """
        from explorer.audio.recordings import scan  # noqa: PLC0415
        from explorer.collection.progress import count_bar  # noqa: PLC0415

        for key, value in (("timezone", timezone), ("site_pattern", site_pattern)):
            if value is not None:
                self.catalogue.remember(key, value)
        with count_bar(progress, "Reading headers", " files") as on_progress:
            found = scan(
                audio,
                timezone=self.catalogue.setting("timezone"),
                site_pattern=self.catalogue.setting("site_pattern"),
                on_progress=on_progress,
            )
        self.catalogue.add(found)
        self._kept.clear()
        return found

    def embed(
        self,
        encoder: str | Encoder = "auto",
        *,
        window_s: float | None = None,
        hop_s: float | None = None,
        speed: float = 1.0,
        low_hz: float | None = None,
        high_hz: float | None = None,
        channel: Literal["mix"] | int = "mix",
        device: str = "auto",
        batch_size: int | None = None,
        progress: bool | Callable[[EmbedProgress], None] = True,
    ) -> EmbedReport:
        """Embed every window that is not yet embedded; call it again to go on after a stop.

        Parameters
        ----------
        encoder
            Name (`explorer encoders` lists them), ``"auto"`` for BirdNET where it is installed and
            ``spectral`` where not, or a loaded encoder.
        window_s
            Seconds of sound in a window as the encoder hears it, for encoders that leave a choice.
        hop_s
            Seconds of the recording between starts of windows; None for no overlap.
        speed
            Play the recording slower (0.1 for bats) or faster (4 for whales) into the encoder;
            times stay the recording's own.
        low_hz, high_hz
            Take away what lies below and above, in Hz of the recording, before the encoder hears
            it: 40 against a boat's rumble. None for no limit. See :mod:`explorer.audio.band`.
        channel
            ``"mix"`` of all channels, or a channel's number from 0.
        device
            ``"auto"`` for cuda, mps or cpu, whichever is there.
        batch_size
            Windows per call of the encoder; None for what suits the device.
        progress
            A bar; or a function that is told of every batch; or False.
        """
        from explorer.collection.embedding import embed  # noqa: PLC0415
        from explorer.collection.progress import bar  # noqa: PLC0415

        if isinstance(encoder, str):
            model = self._load_encoder(encoder, device, window_s)
        elif window_s is None:
            model = encoder
        else:
            raise ParameterError("window_s is for encoders given by name; this one is loaded")
        if not (np.isfinite(speed) and speed > 0):
            raise ParameterError(f"speed is a factor above 0, not {speed!r}")
        band = Band(low_hz, high_hz)
        heard_hz = model.sample_rate / 2 / speed
        if low_hz is not None and low_hz >= heard_hz:
            raise ParameterError(
                f"{model.name} hears up to {heard_hz:g} Hz at speed {speed:g}, so nothing is left "
                f"above {low_hz:g} Hz; play slower (a smaller speed) or lower the limit"
            )
        heard_s = model.window_s * speed
        hop_s = heard_s if hop_s is None else hop_s
        WindowGrid(heard_s, hop_s)  # refuses what is no length
        run = Run(
            name=Run.name_for(model.name, model.version, heard_s, hop_s, speed, str(channel), band),
            encoder=model.name,
            version=model.version,
            sample_rate=model.sample_rate,
            window_s=heard_s,
            hop_s=hop_s,
            speed=speed,
            channel=str(channel),
            dimension=model.dimension,
            low_hz=low_hz,
            high_hz=high_hz,
        )
        self._encoders[run.name] = model
        shown = bar(run, model) if progress is True else contextlib.nullcontext(progress or None)
        with shown as on_progress:
            report = embed(
                self.catalogue,
                self.store(run.name),
                run,
                model,
                batch_size=batch_size,
                on_progress=on_progress,
            )
        self._kept.clear()
        return report

    # --- health -----------------------------------------------------------------------------

    def measure_health(
        self,
        *,
        processes: int | None = None,
        progress: bool | Callable[[HealthProgress], None] = True,
    ) -> HealthReport:
        """Listen to every recording once for how its recorder fared; goes on after a stop.

        Parameters
        ----------
        processes
            At most so many decode at the same time; None for one a core.
        progress
            A bar; or a function that is told of every recording (an exception from it stops the
            work, and what is measured is kept); or False.
        """
        from explorer.collection.health import bar, measure  # noqa: PLC0415

        shown = bar() if progress is True else contextlib.nullcontext(progress or None)
        with shown as on_progress:
            return measure(self.catalogue, processes=processes, on_progress=on_progress)

    def health(self) -> pd.DataFrame:
        """What to look after in these recordings, most severe first, each with its cure.

        Clipping, silence, dropouts and the like need `measure_health` first; gaps, overlaps, clocks
        and changes follow from the catalogue alone.

        Returns
        -------
        pandas.DataFrame
            severity (severe, warning, note), kind, site, device, recording (empty where it is of
            several), from, to, count, sentence.
        """
        from explorer.collection import health, health_store  # noqa: PLC0415

        stamp = (self.catalogue.version(), health_store.stamp(self.catalogue))
        return self._keep(
            ("health",),
            stamp,
            lambda: health.findings(self.recordings, health_store.load(self.catalogue)),
        ).copy()

    @property
    def health_measures(self) -> pd.DataFrame:
        """What was measured of each recording so far, by its id.

        Columns: recording, site, started_at, level_dbfs, peak_dbfs, clipped, silent, stuck (shares
        of samples), quiet, rumble (shares of seconds), offset (of full scale), dropouts, dropped_s,
        cause (why it could not be read to its end).
        """
        from explorer.collection import health, health_store  # noqa: PLC0415

        return health.measures(self.recordings, health_store.load(self.catalogue))

    # --- the map ----------------------------------------------------------------------------

    def projection(self, run: str | None = None) -> NDArray[np.float32] | None:
        """Coordinates [n_windows, 2] of the map, or None where it must (again) be made."""
        from explorer.collection import projections  # noqa: PLC0415

        name = self._run(run)
        return projections.newest(self.path / "projections", name, self.n_windows(name))

    def project(
        self,
        run: str | None = None,
        *,
        progress: bool | Callable[[float, str], None] = True,
        cancel: threading.Event | None = None,
        **settings: Any,
    ) -> NDArray[np.float32]:
        """Make the map with UMAP in a process of its own, and keep it with its settings.

        Parameters
        ----------
        progress
            A bar; or a function that is told of the share done, 0 to 1, and what is being done; or
            False.
        cancel
            Set it from another thread to stop.
        settings
            Of `explorer.space.projection.ProjectionSettings`, such as ``n_neighbours`` or ``seed``.
        """
        from explorer.collection import projections  # noqa: PLC0415
        from explorer.collection.progress import share_bar  # noqa: PLC0415

        name = self._run(run)
        folder, vectors = self.path / "projections", self.embeddings(name)
        with share_bar(progress, "Map") as report:
            return projections.make(folder, name, vectors, settings, report, cancel)

    def clusters(
        self,
        run: str | None = None,
        progress: bool | Callable[[float, str], None] = True,
        *,
        listen: bool = True,
    ) -> Clusters:
        """The clusters of the newest map with names: codes, names, reasons, centres, table.

        Parameters
        ----------
        progress
            A bar; or a function that is told the share done and what is being done (an exception
            raised in it stops the work); or False.
        listen
            False asks no encoder and reads no sound (a second at most): names are then of labels,
            and of what was heard before.
        """
        from explorer.collection.map_layers import clusters  # noqa: PLC0415
        from explorer.collection.progress import share_bar  # noqa: PLC0415

        with share_bar(progress, "Clusters") as report:
            return clusters(self, self._run(run), report, listen=listen)

    def species(
        self, run: str | None = None, progress: bool | Callable[[float, str], None] = True
    ) -> Species:
        """The encoder's own best guess for every window: codes, names, scores, table, counts().

        It comes from the embeddings, for encoders that are classifiers too, such as BirdNET; the
        first time takes some two minutes for a million windows, and it is kept.

        Raises
        ------
        ParameterError
            If the encoder has no names for sounds.
        """
        from explorer.collection.progress import share_bar  # noqa: PLC0415
        from explorer.collection.species import species  # noqa: PLC0415

        with share_bar(progress, "Species") as report:
            return species(self, self._run(run), report)

    def faithfulness(
        self, run: str | None = None, progress: bool | Callable[[float, str], None] = True
    ) -> Faithfulness:
        """Where the newest map can be believed: the share of true neighbours near each window.

        The first time takes a second or two for 20,000 windows, and it is kept.
        """
        from explorer.collection.map_layers import faithfulness  # noqa: PLC0415
        from explorer.collection.progress import share_bar  # noqa: PLC0415

        with share_bar(progress, "Trust") as report:
            return faithfulness(self, self._run(run), report)

    def torn(self, row: int, run: str | None = None) -> NDArray[np.int64]:
        """Windows most like one that lie far from it on the newest map all the same; best first."""
        from explorer.collection.map_layers import torn  # noqa: PLC0415

        return torn(self, int(row), self._run(run))

    # --- search and classifiers -------------------------------------------------------------

    def search(
        self,
        query: Query,
        k: int = 50,
        *,
        start_s: float | None = None,
        metric: Metric = "cosine",
        run: str | None = None,
    ) -> SearchHits:
        """Windows that sound most like the query, best first.

        Parameters
        ----------
        query
            An audio file; a pair (recording, second); one or more windows by row; or a vector
            [dimension]. Several windows are asked for by the mean of their embeddings (BIRB 1.3).
        k
            How many.
        start_s
            With an audio file: only the window that starts here, instead of the whole file.
        metric
            ``"cosine"``, ``"dot"`` or ``"euclidean"`` (a distance: least first).
        """
        from explorer.collection.query import query_vector  # noqa: PLC0415
        from explorer.collection.results import SearchHits  # noqa: PLC0415
        from explorer.space.search import top_k  # noqa: PLC0415

        name = self._run(run)
        vector = query_vector(self, query, start_s=start_s, run=name)
        rows, scores = top_k(self.embeddings(name), vector[None], k, metric=metric)
        table = self.windows(rows[0], name).drop(columns="recording_id").assign(score=scores[0])
        return cast("SearchHits", SearchHits.of(table, self))

    def background(self, run: str | None = None) -> Background:
        """What this collection sounds like as a whole: the geometry that classifiers stand on."""
        from explorer.classify.background import Background  # noqa: PLC0415

        name = self._run(run)
        path = self.path / "embeddings" / name / "background.safetensors"
        n_windows = self.n_windows(name)

        def load() -> Background:
            if path.exists():
                kept = Background.load(path)
                if kept.n_rows == n_windows:
                    return kept
            made = Background.fit(self.embeddings(name))
            made.save(path)
            return made

        return self._keep(("background", name), n_windows, load)

    def prepared(
        self, run: str | None = None, progress: bool | Callable[[int, int], None] = True
    ) -> Prepared:
        """All embeddings in the geometry of the background, so that a click is quick.

        Where they are many (beyond 256 MB) they are kept on disk, and mapped into memory.
        """
        from explorer.collection.preparing import prepared  # noqa: PLC0415
        from explorer.collection.progress import count_bar  # noqa: PLC0415

        name = self._run(run)

        def make() -> Prepared:
            with count_bar(progress, "Getting ready to learn", " windows") as report:
                return prepared(self, name, report)

        return self._keep(("prepared", name), self.n_windows(name), make)

    def classifier(
        self,
        examples: Mapping[str, Rows] | None = None,
        *,
        negatives: Mapping[str, Rows] | None = None,
        name: str | None = None,
        run: str | None = None,
        kind: Kind | None = None,
        method: str | None = None,
    ) -> Classifier:
        """Build a classifier from examples of each class.

        Parameters
        ----------
        examples
            Windows of each class, by row. None takes the current labels: positives are examples,
            negatives are what a class is not.
        negatives
            Windows that are not of a class, by class.
        kind
            ``"centroid"``, at once and best with a few examples; ``"probe"``, better with many;
            or ``"auto"``, which tests both on recordings left out and says what it found in
            ``classifier.choice`` (a second or two); or ``"grown"``, for hundreds of labels: a probe
            with hidden units if they help on recordings left out (a minute or more). None is
            "centroid" for examples given here, "auto" for the current labels.
        method
            Of `NearestCentroid.fit` or of a probe's `Training`; None for the default.

        Raises
        ------
        ParameterError
            If no class has an example.
        """
        from explorer.collection.learning import learn  # noqa: PLC0415

        return learn(
            self,
            examples,
            negatives=negatives,
            run=self._run(run),
            kind=kind,
            method=method,
            name=name,
        )

    def load_classifier(self, name: str | Path) -> Classifier:
        """Open a saved classifier by its name, or one of another collection by its file.

        A file (``"reef.collection/classifiers/grunts.safetensors"``) is opened on this collection's
        run of the same encoder, version and window, and used as it is; `Classifier.adapt` adapts it
        to this place. What is known of its probabilities elsewhere does not hold here: a study here
        calibrates it anew.

        Raises
        ------
        CollectionError
            If there is none of that name (the message lists those that there are), or no run of
            that kind (it says how to make one).
        """
        from explorer.collection.classifier_files import load  # noqa: PLC0415

        return load(self, name)

    @property
    def classifiers(self) -> pd.DataFrame:
        """Saved classifiers: name, run, classes, created_at."""
        return self.catalogue.classifiers().drop(columns=["file", "sha256"])

    def study(self, name: str) -> Study:
        """Open a study of how much of a sound there is; `Classifier.study` begins one.

        Raises
        ------
        CollectionError
            If there is none of that name; the message lists those that there are.
        """
        from explorer.collection.study_files import open_study  # noqa: PLC0415

        return open_study(self, name)

    @property
    def studies(self) -> pd.DataFrame:
        """Studies: name, class, run, classifier, created_at, windows, answered."""
        from explorer.collection.study_files import studies  # noqa: PLC0415

        return studies(self)

    # --- when and where ---------------------------------------------------------------------

    def activity(
        self,
        by: str | Sequence[str] = ("site", "day", "hour"),
        *,
        classifier: Classifier | None = None,
        class_: str | None = None,
        threshold: Threshold = None,
        unit: Literal["windows", "detections"] = "windows",
        gap_s: float = 0.0,
        run: str | None = None,
    ) -> pd.DataFrame:
        """When and where a sound is heard, per recorded hour, with intervals.

        Parameters
        ----------
        by
            "site", "day", "week", "month", "hour", "after_sunrise", "after_sunset" (hours from
            -12 to 11; sites need a place), or several of them.
        classifier
            What finds the sound. Without one, only how long was recorded.
        class_, threshold
            One of its classes; least score that counts (None: the classifier's own, or 0.5).
        unit
            Count windows, or detections: neighbouring windows at most ``gap_s`` apart as one.

        Returns
        -------
        DataFrame
            The groups' columns, class, windows (or detections), recorded_hours, per_hour, low and
            high: the 95 % interval of the rate, see :mod:`explorer.collection.activity`.
        """
        from explorer.collection.activity import activity  # noqa: PLC0415

        return activity(
            self,
            by,
            classifier=classifier,
            class_=class_,
            threshold=threshold,
            unit=unit,
            gap_s=gap_s,
            run=run,
        )

    @property
    def sites(self) -> pd.DataFrame:
        """Where recorders stood, and how long they recorded.

        Columns: site, latitude, longitude (degrees), recordings, hours, first and last (starts of
        recordings), source ("given" by a person, by the "recorder", or None where not known).
        """
        from explorer.collection.places import sites  # noqa: PLC0415

        return sites(self)

    def place(self, site: str, latitude: float | None, longitude: float | None) -> None:
        """Say where a site is, in degrees; None for both goes back to what its recorders wrote.

        ``""`` stands for recordings whose site has no name.
        """
        from explorer.collection.places import place  # noqa: PLC0415

        place(self, site, latitude, longitude)

    def import_sites(self, path: str | Path) -> SitesReport:
        """Take in where sites are from a table with the columns site, latitude and longitude."""
        from explorer.collection.places import import_sites  # noqa: PLC0415

        return import_sites(self, path)

    def daylight(self) -> pd.DataFrame:
        """Sunrise, sunset and civil dawn and dusk at each site whose place is known, day by day.

        Columns: site, day, dawn, sunrise, sunset, dusk (by the recorder's clock, with zone; None
        where the sun does not reach that height), light ("polar day", "polar night" or None).
        """
        from explorer.collection.daylight import daylight  # noqa: PLC0415

        return daylight(self)

    # --- exercises --------------------------------------------------------------------------

    def new_exercise(
        self, classes: str | Sequence[str], clips: Source | Rows = "labelled", **options: Any
    ) -> Exercise:
        """Make an exercise: many people answer what they hear in the same clips.

        Parameters
        ----------
        classes
            One class asks for yes or no; several ask which of them.
        clips
            ``"labelled"`` windows, whose right answers are known; ``"ranked"`` ones, from every
            level of the class's score; or windows by row, such as a selection.
        options
            ``n`` (6 to 40; 12 by default, or all of the given windows), ``seed``, ``name``,
            ``question``, ``run``.
        """
        from explorer.collection.exercises import begin  # noqa: PLC0415

        return begin(self, classes, clips, **options)

    def exercise(self, name: str) -> Exercise:
        """Open an exercise: what was asked, what people answered, how far they agree."""
        from explorer.collection.exercises import open_exercise  # noqa: PLC0415

        return open_exercise(self, name)

    @property
    def exercises(self) -> pd.DataFrame:
        """Exercises, newest first: name, question, clips, people, answers, phase, created_at."""
        from explorer.collection.exercises import exercises  # noqa: PLC0415

        return exercises(self)

    # --- labels -----------------------------------------------------------------------------

    def label(
        self,
        rows: Rows,
        class_: str,
        judgement: label_log.Judgement = "positive",
        *,
        who: str,
        source: str = "notebook",
        run: str | None = None,
    ) -> list[int]:
        """Say that windows do (positive), do not (negative) or may (unsure) hold a class.

        The label is kept for the windows' time ranges, so it outlives a change of encoder.

        Returns
        -------
        list of int
            Ids of the label events, for `undo`.
        """
        table = self.windows(np.asarray(rows), run)
        return self.label_ranges(
            table.assign(**{"class": class_, "judgement": judgement}), who=who, source=source
        )

    def label_ranges(self, ranges: pd.DataFrame, *, who: str, source: str = "import") -> list[int]:
        """Label time ranges: a table with recording, start_s, end_s, class and judgement."""
        table = ranges
        if "recording_id" not in table:
            ids = pd.Series(self.recordings.index, index=self.recordings["recording"])
            unknown = sorted(set(table["recording"]) - set(ids.index))
            if unknown:
                raise ParameterError(
                    f"{len(unknown)} recordings of these labels are not in {self.name}, "
                    f"such as {unknown[0]!r}"
                )
            table = table.assign(recording_id=table["recording"].map(ids))
        if "judgement" not in table:
            table = table.assign(judgement="positive")
        columns = ["recording_id", "start_s", "end_s", "class", "judgement"]
        return label_log.append(
            self.catalogue.engine, table[columns].to_dict(orient="records"), who=who, source=source
        )

    def undo(self, events: Sequence[int], *, who: str, source: str = "notebook") -> list[int]:
        """Take label events back; give the ids of the events that do so (undo these to redo)."""
        return label_log.undo(self.catalogue.engine, events, who=who, source=source)

    def labels(self, *, who: str | None = None) -> pd.DataFrame:
        """The labels that count now, with who judged and when."""
        return label_log.current(self.catalogue.engine, who=who)

    def label_events(self, *, since: int = 0) -> pd.DataFrame:
        """The log of label events, undone ones too; all of it, or what came after one of them."""
        return label_log.log(self.catalogue.engine, since)

    def latest_event(self) -> int:
        """Number of the latest label event, 0 before the first: changes when anybody labels."""
        return label_log.latest(self.catalogue.engine)

    def label_rows(self, run: str | None = None) -> pd.DataFrame:
        """The labels that count now as windows of a run: row, class, judgement, who, event."""
        return label_log.rows_of_labels(self.labels(), self.index(run))

    def agreement(
        self, class_: str | None = None, *, who: Sequence[str] | None = None, run: str | None = None
    ) -> pd.DataFrame:
        """How far people agree beyond chance: a row for all of them and for each pair, per class.

        Columns: class (None for all together), who, people, windows (that at least two of them
        judged), agreed (share of pairs of judgements), kappa (Cohen's for two, Fleiss' for more),
        low, high (an interval of 90 %), word (Landis and Koch's), error (the standard error).
        """
        from explorer.collection.agreement import agreement  # noqa: PLC0415

        return agreement(self, class_, who, run)

    def disagreements(
        self,
        class_: str | None = None,
        *,
        who: Sequence[str] | None = None,
        settled: bool = False,
        run: str | None = None,
    ) -> Disagreements:
        """Windows on which people differ, the most contested first, as a table that plays.

        A window is settled, and left out unless asked for, once more than half say the same.
        """
        from explorer.collection.agreement import disagreements  # noqa: PLC0415

        return disagreements(self, class_, who, settled=settled, run=run)

    def import_labels(self, path: str | Path, *, who: str) -> ImportReport:
        """Take in labels made in Raven, Audacity or a table, from a file or a folder of them."""
        from explorer.collection.handover import import_labels  # noqa: PLC0415

        return import_labels(self, path, who=who)

    def export_labels(self, path: str | Path, format: Format = "csv") -> list[Path]:
        """Write the labels that count now as csv, raven, audacity or parquet."""
        from explorer.collection.handover import labels_table, write  # noqa: PLC0415

        return write(labels_table(self), path, format, self)

    def check(self) -> pd.DataFrame:
        """Whether all is as the catalogue says: a table of findings, empty when all is well.

        Columns: kind (recording, shard, rows, orphan, classifier, study), name, finding.
        """
        from explorer.collection.check import findings  # noqa: PLC0415

        return findings(self)

    # --- the dashboard ----------------------------------------------------------------------

    def explore(self, **options: Any) -> Any:
        """The dashboard: in a notebook, the cell's output."""
        from importlib import import_module  # noqa: PLC0415

        # By name, because this floor must not know the one above; only who asks for it loads it.
        return import_module("explorer.dashboard.app").make_app(self, **options)

    def map(self, **options: Any) -> Any:
        """The map alone, in a cell: draw around sounds, and `listen` in another cell plays them.

        Parameters
        ----------
        options
            ``colour_by`` ("class", "score", "site", "hour", "cluster", "species" or "trust"),
            ``height`` in pixels, ``user``, ``run``, ``theme`` ("auto", "light", "dark").

        Returns
        -------
        View
            A Panel object. Its ``selected`` is a table of the windows that are selected now. All
            views of a collection in one notebook are linked.
        """
        from importlib import import_module  # noqa: PLC0415

        return import_module("explorer.dashboard.single.views").show_map(self, **options)

    def listen(self, sounds: Any = None, **options: Any) -> Any:
        """Sounds alone, in a cell: look at them, play them, and say yes, no or unsure.

        Parameters
        ----------
        sounds
            A table of sounds, such as search hits or detections, or windows by row. None shows what
            is selected on `map`, or else the ranking of the class at hand, or else a sample.
        options
            ``title`` of the sounds, ``classes=False`` to leave the list of classes out, ``height``
            in pixels, ``user``, ``run``, ``theme``.
        """
        from importlib import import_module  # noqa: PLC0415

        return import_module("explorer.dashboard.single.views").show_sounds(self, sounds, **options)

    def when(self, **options: Any) -> Any:
        """When the class at hand is heard, by day and hour, in a cell; see `activity` for numbers.

        Parameters
        ----------
        options
            ``class_`` to choose another class, ``height`` in pixels, ``user``, ``run``, ``theme``.
        """
        from importlib import import_module  # noqa: PLC0415

        return import_module("explorer.dashboard.single.views").show_when(self, **options)

    # --- inside -----------------------------------------------------------------------------

    def _load_encoder(self, name: str, device: str, window_s: float | None) -> Encoder:
        from explorer.encoders.registry import load  # noqa: PLC0415

        return load(name, device=device, window_s=window_s)

    def encoder(self, run: str | None = None) -> Encoder:
        """The encoder of a run, loaded; for queries from outside the collection.

        Raises
        ------
        EncoderError
            If it is not installed, or another version than the run's.
        """
        name = self._run(run)
        if name not in self._encoders:
            made = self.catalogue.runs()[name]
            heard_s = round(made.window_s / made.speed, 9)  # 0.3 s at speed 0.1 is 3 s, exactly
            model = self._load_encoder(made.encoder, "auto", heard_s)
            if model.version != made.version:
                raise EncoderError(
                    f"{made.encoder} {model.version} is installed here, but {name} was made with "
                    f"version {made.version}: their embeddings cannot be compared. Install that "
                    f"version, or embed again: explorer embed {self.path} --encoder {made.encoder}"
                )
            self._encoders[name] = model
        return self._encoders[name]
