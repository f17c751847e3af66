"""The front ends of Perch against the reference implementation, and what they are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from perch_fixtures import (
    FrontEnd,
    arrays,
    fault,
    one_thread,  # noqa: F401
    tolerances,
    waves,
)

from explorer.encoders import frontends
from explorer.encoders.frontends import (
    PCEN,
    LogScale,
    MelSpectrogram,
    Pcen,
    mel_matrix,
    perch2_front_end,
    perch_front_end,
    smoothing_matrix,
    smoothing_taps,
)
from explorer.errors import ParameterError

# --- against the reference ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parity(shared: Path) -> Path:
    return shared / "parity"


def pictures(parity: Path) -> list[tuple[str, str, np.ndarray]]:
    """Give every expected picture as (front end, wave, picture)."""
    return [
        (*key.split("__"), picture)  # type: ignore[misc]
        for path in sorted((parity / "frontend").glob("outputs*.npz"))
        for key, picture in arrays(path).items()
    ]


def faults(parity: Path, kind: str = "", **changes: object) -> list[str]:
    """Compare front ends of a kind, or all, with the reference; `changes` make ours wrong."""
    sounds, limits, found, compared = waves(parity), tolerances(parity), [], 0
    for name, wave, theirs in pictures(parity):
        settings = FrontEnd.named(name)
        if kind and settings.kind != kind:
            continue
        if settings.kind == "pcen":
            limit = limits["pcen"]["atol_chirp" if "chirp" in wave else "atol"]
        else:
            limit = limits["mel"]["atol"]
        ours = FrontEnd(**{**vars(settings), **changes}).module()(sounds[wave][None])[0]
        found += fault(f"{name} of {wave}", ours, theirs, limit)
        compared += 1
    assert compared
    return found


@pytest.mark.golden
@pytest.mark.parametrize("kind", ["mel", "pcen", "log"])
def test_pictures_equal_the_references(kind: str, parity: Path) -> None:
    assert not faults(parity, kind)


@pytest.mark.golden
def test_mel_bands_and_window_equal_the_references(parity: Path) -> None:
    found, limit = [], tolerances(parity)["mel"]["atol"]
    for name, theirs in arrays(parity / "frontend" / "constants.npz").items():
        if name.startswith("mel_matrix_"):
            low, high = map(float, name.removeprefix("mel_matrix_").split("_"))
            found += fault(name, torch.from_numpy(mel_matrix(low, high)), theirs, limit)
        else:
            assert name == "window_symmetric_hann_640_sum1"
            found += fault(name, MelSpectrogram().window, theirs, 1e-8)
    assert not found


@pytest.mark.golden
@pytest.mark.parametrize(
    "change",
    [{"smoothing": "fixed"}, {"smoothing": "legacy"}, {"pcen": "bio"}, {"pcen": "new"}],
    ids=str,
)
def test_a_wrong_setting_of_pcen_is_seen(change: dict[str, str], parity: Path) -> None:
    (setting,) = change
    (value,) = change.values()
    wrong = {
        f"{name} of {wave}"
        for name, wave, _ in pictures(parity)
        if FrontEnd.named(name).kind == "pcen" and getattr(FrontEnd.named(name), setting) != value
    }
    seen = {line.split(":")[0] for line in faults(parity, "pcen", **change)}
    assert seen <= wrong
    assert {what for what in wrong if "chirp" not in what} <= seen


@pytest.mark.golden
def test_a_wrong_framing_is_seen(parity: Path) -> None:
    assert faults(parity, "mel", framing="scipy")
    assert faults(parity, "mel", framing="simple")


# --- what they are made of ------------------------------------------------------------------------


def test_the_smoothing_is_a_convolution_over_the_past_frames() -> None:
    """The matrix product against the definition, frame by frame."""
    taps = smoothing_taps(0.145, "legacy")
    energy = np.random.default_rng(5).random((300, 2))
    before = np.concatenate([np.repeat(energy[:1], len(taps) - 1, axis=0), energy])
    slow = [taps @ before[t : t + len(taps)] for t in range(len(energy))]
    np.testing.assert_allclose(smoothing_matrix(taps, 300) @ energy, slow)


def test_a_shorter_picture_is_the_beginning_of_a_longer_one() -> None:
    pcen = Pcen("new", smoothing="fixed")
    energy = torch.rand(2, 500, 128)
    torch.testing.assert_close(pcen(energy[:, :150]), pcen(energy)[:, :150])
    with pytest.raises(ParameterError, match=r"at most 500 frames, not 501"):
        pcen(torch.rand(1, 501, 128))
    assert Pcen("new", smoothing="fixed", frames=600)(torch.rand(1, 501, 128)).shape[1] == 501


@pytest.mark.parametrize("name", PCEN)
def test_the_two_smoothings_weigh_the_past_in_opposite_order(name: frontends.PcenName) -> None:
    newest = PCEN[name].smoothing
    fixed, legacy = smoothing_taps(newest, "fixed"), smoothing_taps(newest, "legacy")
    assert fixed.sum() == pytest.approx(1)
    assert fixed[-1] == legacy[-1] == newest
    np.testing.assert_allclose(fixed[1:-1], newest * legacy[254:0:-1])


@pytest.mark.parametrize("framing", ["simple", "scipy"])
@pytest.mark.parametrize("samples", [160_000, 47_999, 320, 100])
def test_there_is_a_frame_for_each_hop(framing: frontends.Framing, samples: int) -> None:
    frames = MelSpectrogram(framing=framing)(torch.zeros(1, samples)).shape[1]
    assert frames == max(1, -(-samples // 320))


def test_silence_is_finite_and_flat() -> None:
    silence = torch.zeros(1, 160_000)
    for name in PCEN:
        for smoothing in ("legacy", "fixed"):
            assert (perch_front_end(name, smoothing)(silence) == 0).all()
    assert perch2_front_end()(silence).unique().tolist() == [pytest.approx(0.1 * np.log(0.01))]


def test_pcen_makes_loud_and_quiet_places_alike() -> None:
    """A hundredfold gain changes the mel bands a hundredfold, and their PCEN little."""
    noise = 0.001 * torch.randn(1, 160_000, generator=torch.Generator().manual_seed(1))
    pcen = perch_front_end("new", "fixed")
    quiet, loud = pcen(noise), pcen(100 * noise)
    assert loud.mean() / quiet.mean() < 4


def test_front_ends_carry_no_weights_and_move_as_a_whole() -> None:
    for front_end in (perch_front_end("new", "legacy"), perch2_front_end()):
        assert not front_end.state_dict()
        assert front_end.to("meta")(torch.empty(2, 160_000, device="meta")).shape == (2, 500, 128)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="framing"):
        MelSpectrogram(framing="other")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="power"):
        MelSpectrogram(power=3)
    with pytest.raises(ParameterError, match="17000"):
        MelSpectrogram(high_hz=17_000)
    with pytest.raises(ParameterError, match="pcen 'old'"):
        perch_front_end("old", "fixed")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="smoothing"):
        Pcen("new", smoothing="none")  # type: ignore[arg-type]


def test_log_scale_has_a_floor() -> None:
    assert LogScale()(torch.tensor([1.0, 0.01, 0.0])).tolist() == pytest.approx(
        [0.0, 0.1 * np.log(0.01), 0.1 * np.log(0.01)]
    )
