"""What start times, lengths and levels say of recorders: one small catalogue for each fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from explorer.audio.health import SoundHealth
from explorer.collection.health import findings

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def catalogue(starts, *, seconds=600.0, site="reef", device="A1", rate=48_000, names=None):
    """Recordings that start at these times."""
    n = len(starts)
    return pd.DataFrame(
        {
            "recording": names
            or [f"{site}_{device}_{at:%Y%m%d_%H%M%S}_{i}.wav" for i, at in enumerate(starts)],
            "duration_s": np.broadcast_to(np.asarray(seconds, dtype=float), n),
            "sample_rate": np.broadcast_to(rate, n),
            "channels": 1,
            "started_at": [at.isoformat() for at in starts],
            "site": site,
            "device": device,
            "size_bytes": np.arange(n) + 1000,
        },
        index=pd.RangeIndex(1, n + 1, name="id"),
    )


def every(step, days=1.0, begin=BEGIN):
    return [begin + k * step for k in range(round(days * timedelta(days=1) / step))]


def without(starts, *positions):
    return [at for k, at in enumerate(starts) if k not in set(positions)]


def found(recordings, measured=None):
    return findings(recordings, measured or {})


def kinds(recordings, measured=None):
    return found(recordings, measured)["kind"].tolist()


@pytest.mark.parametrize("step", [timedelta(minutes=10), HOUR, timedelta(minutes=7)])
def test_a_complete_schedule_has_nothing_to_look_after(step):
    assert kinds(catalogue(every(step, days=12), seconds=300)) == []


def test_recorders_wake_up_with_a_little_jitter():
    generator = np.random.default_rng(0)
    starts = [at + timedelta(seconds=int(generator.integers(0, 3))) for at in every(HOUR, 10)]
    assert kinds(catalogue(starts)) == []


def test_a_missing_recording_of_a_regular_schedule_is_a_gap():
    table = found(catalogue(without(every(HOUR, 6), 61)))
    assert table["kind"].tolist() == ["gap"]
    gap = table.iloc[0]
    assert (gap["count"], gap["severity"], gap["site"]) == (1, "note", "reef")
    assert gap["from"] == "2026-03-03T12:10:00+00:00"
    assert gap["to"] == "2026-03-03T14:00:00+00:00"
    assert "One recording is missing" in gap["sentence"]


def test_a_gap_is_found_on_a_single_day_too():
    assert kinds(catalogue(without(every(HOUR), 12, 13))) == ["gap"]


def test_whole_days_without_a_recording_are_severe():
    starts = without(every(HOUR, 20), *range(24 * 8, 24 * 11))
    (gap,) = found(catalogue(starts)).itertuples()
    assert (gap.kind, gap.severity, gap.count) == ("gap", "severe", 72)


def test_a_recorder_that_sleeps_at_noon_has_no_gaps_at_noon():
    awake = [at for at in every(timedelta(minutes=10), 12) if at.hour in (4, 5, 6, 17, 18, 19)]
    assert kinds(catalogue(awake, seconds=60)) == []
    missing = [at for at in awake if not (at.day == 5 and at.hour == 5)]
    (gap,) = found(catalogue(missing, seconds=60)).itertuples()
    assert (gap.kind, gap.count) == ("gap", 6)


def test_sessions_that_follow_the_sun_are_no_gaps_and_no_clock_shifts():
    starts = [
        BEGIN + timedelta(days=day, hours=6, minutes=2 * day + 10 * k)
        for day in range(40)
        for k in range(18)
    ]
    assert kinds(catalogue(starts, seconds=60)) == []


def test_with_two_sessions_of_one_day_nobody_can_tell_a_gap():
    starts = [at for at in every(timedelta(minutes=10)) if at.hour in (5, 18)]
    assert kinds(catalogue(starts, seconds=60)) == []


def test_a_long_break_is_a_pause_between_deployments():
    starts = every(HOUR, 4) + every(HOUR, 4, BEGIN + timedelta(days=90))
    (pause,) = found(catalogue(starts)).itertuples()
    assert (pause.kind, pause.severity) == ("pause", "note")


def test_many_single_gaps_are_told_in_one_sentence():
    starts = without(every(timedelta(minutes=10), 10), *range(20, 1200, 40))
    (gap,) = found(catalogue(starts, seconds=60)).itertuples()
    assert (gap.kind, gap.count) == ("gap", 30)


def test_a_recording_cut_short_is_named():
    seconds = np.full(48, 600.0)
    seconds[20] = 75
    (short,) = found(catalogue(every(HOUR, 2), seconds=seconds)).itertuples()
    assert short.kind == "cut short"
    assert "_20.wav" in short.recording
    assert "75 s where 10 min" in short.sentence


def test_double_coverage_is_an_overlap():
    starts = every(HOUR, 2)
    starts[20] -= timedelta(minutes=55)
    table = found(catalogue(starts))
    assert "overlap" in table["kind"].tolist()
    assert "5 min" in table.set_index("kind").loc["overlap", "sentence"]


def test_two_recorders_under_one_name_are_told_once():
    both = sorted(every(HOUR, 3) + every(HOUR, 3, BEGIN + timedelta(minutes=2)))
    table = found(catalogue(both))
    assert table["kind"].tolist().count("overlap") == 1
    assert "two recorders" in table.set_index("kind").loc["overlap", "sentence"]


@pytest.mark.parametrize("year", [1970, 1980, 2000])
def test_a_clock_that_was_never_set_is_severe_and_makes_no_gap_of_decades(year):
    starts = every(HOUR, 1, datetime(year, 1, 1, tzinfo=UTC)) + every(HOUR, 3)
    (clock,) = found(catalogue(starts)).itertuples()
    assert (clock.kind, clock.severity, clock.count) == ("clock not set", "severe", 24)
    assert str(year) in clock.sentence


def test_a_start_in_the_future_is_severe():
    starts = [*every(HOUR, 3), datetime.now(UTC) + timedelta(days=400)]
    assert found(catalogue(starts))["kind"].tolist() == ["clock in the future"]


def test_time_that_goes_backwards_along_the_running_number_is_a_clock_jump():
    starts = every(HOUR, 1)
    starts[15:] = [at - timedelta(hours=9, minutes=30) for at in starts[15:]]
    names = [f"card/REC{k:04d}.wav" for k in range(24)]
    table = found(catalogue(starts, names=names))
    back = table[table["kind"] == "clock goes backwards"]
    assert back["recording"].tolist() == ["card/REC0015.wav"]
    assert "8.5 h before REC0014.wav" in back["sentence"].iloc[0]


def test_running_numbers_that_have_nothing_to_do_with_time_are_left_alone():
    order = np.random.default_rng(1).permutation(24)
    starts = [every(HOUR)[k] for k in order]
    names = [f"CALL{k}.wav" for k in range(24)]
    assert "clock goes backwards" not in kinds(catalogue(starts, names=names))


def test_a_shift_of_the_grid_is_a_clock_shift():
    starts = every(timedelta(minutes=10), 4)
    starts[300:] = [at + timedelta(minutes=3, seconds=20) for at in starts[300:]]
    (shift,) = found(catalogue(starts, seconds=60)).itertuples()
    assert shift.kind == "clock shift"
    assert "3.33 min later" in shift.sentence
    assert "_300.wav" in shift.recording


def test_recordings_without_a_start_are_counted_by_site():
    recordings = catalogue(every(HOUR, 1))
    recordings.loc[3:5, "started_at"] = None
    table = found(recordings)
    assert table.set_index("kind").loc["no start time", "count"] == 3


def test_another_rate_and_another_device_are_noted():
    old = catalogue(every(HOUR, 3), rate=np.repeat([48_000, 24_000], 36))
    new = catalogue(every(HOUR, 3, BEGIN + timedelta(days=4)), device="B2")
    both = pd.concat([old, new], ignore_index=True)
    table = found(both).set_index("kind")
    assert "24,000 Hz instead of 48,000" in table.loc["sample rate changes", "sentence"]
    assert "B2, before it was A1" in table.loc["device changes", "sentence"]


def test_a_recorder_with_two_kinds_of_recordings_does_not_change_its_rate():
    starts = sorted(every(HOUR, 3) + every(HOUR, 3, BEGIN + timedelta(minutes=30)))
    assert kinds(catalogue(starts, rate=np.tile([384_000, 48_000], 72))) == []


def levels(recordings, level_of):
    starts = [datetime.fromisoformat(text) for text in recordings["started_at"]]
    return {
        key: SoundHealth(seconds=600, level_dbfs=level_of(at), digest=str(key))
        for key, at in zip(recordings.index, starts, strict=True)
    }


def test_a_level_that_drops_for_days_is_told_once_and_a_dawn_chorus_is_not():
    recordings = catalogue(every(HOUR, 20))

    def chorus(at):
        return -50.0 + 22 * (at.hour in (5, 6)) + (at.day % 3)

    def failing(at):
        return chorus(at) - 18 * (at.day > 12)

    assert kinds(recordings, levels(recordings, chorus)) == []
    (change,) = found(recordings, levels(recordings, failing)).itertuples()
    assert (change.kind, change.severity) == ("level changes", "warning")
    assert "quieter" in change.sentence
    assert change[change._fields.index("_6")].startswith("2026-03-13")


def test_the_same_sound_under_two_names_is_told():
    recordings = catalogue(every(HOUR, 1))
    copies = recordings.iloc[:2].assign(recording=["copy/a.wav", "copy/b.wav"])
    both = pd.concat([recordings, copies], ignore_index=True)
    table = found(both)
    assert table["kind"].tolist() == ["double", "double"]
    assert "copy/a.wav" in table["sentence"].iloc[0] + table["recording"].iloc[0]


def test_nothing_is_found_in_nothing():
    assert found(catalogue([])).empty
