"""Many recordings measured side by side: no file stops the others, and stopping is at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sound_files import noise, write

from explorer.audio.decoder_process import DecoderProcess
from explorer.audio.health import measure
from explorer.audio.measuring import measure_all
from explorer.errors import ExplorerError

RATE = 8000


@pytest.mark.parametrize("processes", [1, 3])
def test_all_are_measured_as_they_would_be_here(tmp_path, processes):
    paths = [write(tmp_path / f"{n}.wav", noise(1 + n, RATE, n), RATE) for n in range(5)]
    (tmp_path / "not.wav").write_text("no sound")
    paths.append(tmp_path / "not.wav")
    got = dict(measure_all(list(enumerate(paths)), processes=processes))
    assert got == {key: measure(path) for key, path in enumerate(paths)}
    assert "text" in got[5].cause


def test_nothing_to_do_starts_nothing():
    assert list(measure_all([])) == []


def test_a_decoder_that_crashes_takes_only_its_recording_with_it(tmp_path, monkeypatch):
    paths = [write(tmp_path / f"{n}.wav", noise(1, RATE, n), RATE) for n in range(4)]
    ask = DecoderProcess.ask

    def crash(self, message):
        if str(message.get("measure", "")).endswith("2.wav"):
            self.kill()
        return ask(self, message)

    monkeypatch.setattr(DecoderProcess, "ask", crash)
    got = dict(measure_all(list(enumerate(paths)), processes=1))
    assert [key for key, found in got.items() if found.cause] == [2]
    assert "crashed" in got[2].cause


def test_a_fault_of_ours_is_raised_with_its_place(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", noise(1, RATE), RATE)
    monkeypatch.setattr(DecoderProcess, "ask", lambda self, message: {"fault": "Traceback: here"})
    with pytest.raises(ExplorerError, match="here"):
        list(measure_all([(0, path)]))


def test_closing_stops_in_the_middle_of_a_file(tmp_path):
    first = write(tmp_path / "first.wav", noise(0.2, RATE), RATE)
    long = write(tmp_path / "long.flac", np.tile(noise(60, 48_000), 20), 48_000)
    measured = measure_all([(0, first), (1, long), (2, long), (3, long)], processes=2)
    assert next(measured)[0] == 0
    measured.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("measure-")]
