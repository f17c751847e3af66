"""Embedding: nothing lost, nothing counted twice, whatever happens on the way."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_recordings import RATE, RUN, Listener, embed_slowly, write_recordings

import explorer
from explorer.collection import embedding
from explorer.collection.collection import Collection
from explorer.errors import CollectionError, EncoderError


def content(collection: Path) -> tuple[bytes, list[tuple[int, ...]]]:
    """Every embedding's bytes, and which window of which recording each row is."""
    opened = explorer.open(collection)
    index = opened.index()
    rows = list(zip(index.recording_id.tolist(), index.window.tolist(), strict=True))
    return np.asarray(opened.embeddings()).tobytes(), rows


def test_killed_runs_resume_without_losing_or_recounting(tmp_path: Path) -> None:
    audio = write_recordings(tmp_path / "recordings", count=40, seconds=20)
    (audio / "east" / "EAST_20260302_000000.wav").write_bytes(b"RIFF, but not really")
    killed, whole = tmp_path / "killed.collection", tmp_path / "whole.collection"
    for path in (killed, whole):
        explorer.open(path, audio=audio).close()
    embed_slowly(whole)

    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["small_recordings"])
    random.seed(11)
    kills = 0
    while kills < 12:
        process = processes.Process(target=embed_slowly, args=(killed,))
        process.start()
        while not list(killed.glob("embeddings/*/embedding.lock")):
            time.sleep(0.002)  # the first process is still starting
        process.join(timeout=random.uniform(0.05, 0.9))
        if process.exitcode is not None:
            shutil.rmtree(killed)  # it came through before the signal: begin again
            explorer.open(killed, audio=audio).close()
            continue
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    embed_slowly(killed)

    assert content(killed) == content(whole)
    assert not explorer.open(killed).check()["kind"].isin(["orphan", "shard", "rows"]).any()


def test_a_second_call_does_nothing(reef: Collection) -> None:
    report = reef.embed(Listener(), progress=False)
    assert report.windows == 0
    assert "Nothing to do" in str(report)


def test_new_recordings_are_added_to_the_run(reef: Collection, recordings: Path) -> None:
    before = np.asarray(reef.embeddings())
    sound = np.random.default_rng(0).normal(0, 0.1, RATE * 3)
    soundfile.write(recordings / "east" / "EAST_20260401_000000.wav", sound, RATE)
    reef.add(recordings)
    assert reef.embed(Listener(), progress=False).windows == 3
    np.testing.assert_array_equal(np.asarray(reef.embeddings())[: len(before)], before)


def test_one_broken_recording_never_stops_the_others(tmp_path: Path, recordings: Path) -> None:
    """PEERS 2: the header is fine, the sound holds NaN: only decoding finds out."""
    bad = recordings / "east" / "EAST_20260301_050000.wav"
    soundfile.write(bad, np.full(RATE * 3, np.nan), RATE, subtype="FLOAT")
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    report = reef.embed(Listener(), progress=False)
    assert report.recordings == 8
    assert list(report.left_out) == ["east/EAST_20260301_050000.wav"]
    listed = reef.left_out.set_index("recording")["cause"]
    assert "not numbers" in listed["east/EAST_20260301_050000.wav"]


def test_a_failed_recording_is_tried_again(tmp_path: Path, recordings: Path) -> None:
    bad = recordings / "east" / "EAST_20260301_050000.wav"
    soundfile.write(bad, np.full(RATE * 3, np.nan), RATE, subtype="FLOAT")
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    reef.embed(Listener(), progress=False)
    soundfile.write(bad, np.full(RATE * 3, 0.1), RATE, subtype="FLOAT")
    assert reef.embed(Listener(), progress=False).windows == 3
    assert reef.left_out.empty


class Interrupted(Listener):
    """Ctrl-C in the middle of the run."""

    def __init__(self) -> None:
        self.batches = 0

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        self.batches += 1
        if self.batches == 4:
            raise KeyboardInterrupt
        return super().encode(windows)


def test_ctrl_c_keeps_what_was_done(tmp_path: Path, recordings: Path) -> None:
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    with pytest.raises(KeyboardInterrupt):
        reef.embed(Interrupted(), batch_size=4, progress=False)
    assert reef.n_windows() == 12
    assert reef.check().empty
    report = reef.embed(Listener(), batch_size=4, progress=False)
    whole = explorer.open(tmp_path / "whole.collection", audio=recordings)
    whole.embed(Listener(), batch_size=4, progress=False)
    assert report.windows == whole.n_windows() - 12
    np.testing.assert_array_equal(np.asarray(reef.embeddings()), np.asarray(whole.embeddings()))


def test_two_processes_do_not_embed_one_run_at_once(reef: Collection) -> None:
    folder = reef.path / "embeddings" / RUN.name
    with (
        embedding.FileLock(folder / "embedding.lock"),
        pytest.raises(CollectionError, match="another process is embedding"),
    ):
        embedding.embed(reef.catalogue, reef.store(RUN.name), RUN, Listener())


def test_embeddings_that_are_not_finite_name_the_recording(
    tmp_path: Path, recordings: Path
) -> None:
    class Broken(Listener):
        def encode(self, windows: torch.Tensor) -> torch.Tensor:
            return super().encode(windows) * float("nan")

    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    with pytest.raises(EncoderError, match="EAST_20260301_000000"):
        reef.embed(Broken(), progress=False)


def test_orphans_of_a_killed_run_are_swept(reef: Collection) -> None:
    orphan = reef.path / "embeddings" / RUN.name / "000099.npy"
    np.save(orphan, np.zeros((3, 16), dtype=np.float16))
    assert list(reef.check()["kind"]) == ["orphan"]
    reef.embed(Listener(), progress=False)
    assert not orphan.exists()
    assert reef.check().empty


def test_small_shards_are_compacted_in_order(tmp_path: Path, recordings: Path) -> None:
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    embedding.embed(
        reef.catalogue, reef.store(RUN.name), RUN, Listener(), batch_size=2, flush_seconds=0.0
    )
    assert len(reef.catalogue.shards(RUN.name)) == 1
    whole = explorer.open(tmp_path / "whole.collection", audio=recordings)
    whole.embed(Listener(), batch_size=2, progress=False)
    assert content(reef.path) == content(whole.path)


def test_hop_and_speed_make_their_own_runs(reef: Collection) -> None:
    reef.embed(Listener(), hop_s=0.5, progress=False)
    reef.embed(Listener(), speed=0.5, progress=False)
    assert list(reef.runs["run"]) == [
        "listener-1_1.0s",
        "listener-1_1.0s_hop0.5s",
        "listener-1_0.5s_x0.5",
    ]
    slow = reef.windows([0, 1], run="listener-1_0.5s_x0.5")
    assert slow["start_s"].tolist() == [0.0, 0.5]  # the recording's own seconds


def test_progress_tells_windows_total_and_speed(tmp_path: Path, recordings: Path) -> None:
    told = []
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    reef.embed(Listener(), batch_size=8, progress=told.append)
    assert told[-1].windows == told[-1].total == reef.n_windows()
    assert told[-1].times_real_time > 0


def test_memory_does_not_grow_with_the_length_of_a_recording(tmp_path: Path) -> None:
    """PEERS 3: an hour needs no more than the blocks that are under way."""
    import tracemalloc

    path = tmp_path / "long" / "HOUR_20260301_000000.wav"
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", RATE, 1) as stream:
        minute = np.random.default_rng(0).normal(0, 0.05, RATE * 60).astype(np.float32)
        for _ in range(60):
            stream.write(minute)
    reef = explorer.open(tmp_path / "reef.collection", audio=path.parent)
    tracemalloc.start()
    reef.embed(Listener(), progress=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reef.n_windows() == 3600
    assert peak < 30e6, f"{peak / 1e6:.0f} MB; the hour is {3600 * RATE * 4 / 1e6:.0f} MB"


def test_embeddings_may_lie_in_object_storage(tmp_path: Path, recordings: Path) -> None:
    """The folder is then a cache: emptied, or on another computer, it fills again."""
    bucket = "memory://bucket/reef"
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings, embeddings=bucket)
    reef.embed(Listener(), progress=False)
    before = np.asarray(reef.embeddings())
    shutil.rmtree(reef.path / "embeddings")
    again = explorer.open(reef.path)  # the address is remembered
    np.testing.assert_array_equal(np.asarray(again.embeddings()), before)
    assert again.check().empty


def test_recordings_of_a_narrow_band_are_told(tmp_path: Path, recordings: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 2000)
    soundfile.write(recordings / "east" / "EAST_20260401_000000.wav", sound, 1000)
    reef = explorer.open(tmp_path / "reef.collection", audio=recordings)
    report = reef.embed(Listener(), progress=False)
    assert report.narrow == 1
    assert "less than half of the band" in str(report)
