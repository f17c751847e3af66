"""SurfPerch and Perch 1.x against the reference implementation, and as encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from perch_fixtures import (
    Model,
    arrays,
    fault,
    from_int16,
    heads,
    model_faults,
    model_outputs,
    one_thread,  # noqa: F401
    parameters,
    random_parameters,
    tolerances,
    waves,
)
from torch import Tensor, nn

from explorer.encoders import efficientnet, perch_weights, surfperch
from explorer.encoders.base import ClassifyingEncoder
from explorer.encoders.efficientnet import folded
from explorer.encoders.normalise import PERCH
from explorer.encoders.perch_weights import Converted, Switches
from explorer.encoders.surfperch import HEADS, PerchEncoder, SurfPerch, frame
from explorer.errors import EncoderError, ParameterError

SAMPLES = 160_000
COSINE = 0.9999
SWITCHES = Switches(smoothing="legacy", activation="swish", pcen="new")
CLASSES = (7, 5, 4, 3, 6, 2)


@pytest.fixture(scope="module")
def parity(shared: Path) -> Path:
    return shared / "parity"


def converted(
    parameters: dict[str, np.ndarray] | None = None,
    heads: tuple[str, ...] = HEADS,
    switches: Switches = SWITCHES,
    name: str = "surfperch",
) -> Converted:
    """Make what a conversion gives; without parameters, a network of random numbers."""
    if parameters is None:
        parameters = random_parameters("b1", CLASSES[: len(heads)])
    counts = {head: len(parameters[f"params/Dense_{i}/bias"]) for i, head in enumerate(heads)}
    names = {head: [f"{head} {i}" for i in range(count)] for head, count in counts.items()}
    return Converted(name, "1-test", switches, parameters, names, "0" * 64, "not run")


@pytest.fixture(scope="module")
def encoder() -> PerchEncoder:
    return PerchEncoder(converted(), device="cpu")


def sounds(count: int = 5) -> Tensor:
    """Noise, clicks, a chirp, silence and an offset, and all of them again, at other gains."""
    t = torch.arange(SAMPLES) / 32_000
    noise = torch.randn(SAMPLES, generator=torch.Generator().manual_seed(9))
    kinds = [
        0.1 * noise,
        noise * (torch.arange(SAMPLES) % 7000 < 90),
        0.5 * torch.sin(2 * torch.pi * (200 * t + 900 * t**2)),
        torch.zeros(SAMPLES),
        1e-4 * noise + 0.3,
    ]
    return torch.stack([kinds[i % 5] * 0.9**i for i in range(count)])


# --- against the reference ------------------------------------------------------------------------


def expected(parity: Path) -> list[tuple[Path, Model]]:
    """Give every file of expected outputs, and the model that its name describes.

    Those of savedmodel/ are what TensorFlow returned from models exported in 2024.
    """
    files = [*parity.glob("full_model/outputs_*.npz"), *parity.glob("savedmodel/*outputs_*.npz")]
    return [(path, Model.named(path.stem.split("outputs_")[1])) for path in sorted(files)]


def differ_in(one: Model, other: Model) -> list[str]:
    """Name the settings in which two models differ."""
    ours, theirs = vars(one) | vars(one.front_end), vars(other) | vars(other.front_end)
    return [key for key in ours if key != "front_end" and ours[key] != theirs[key]]


@pytest.mark.golden
def test_each_models_outputs_equal_the_references_and_no_other_models(parity: Path) -> None:
    """So every wrong switch is seen: there are models that differ in that switch alone."""
    files = expected(parity)
    told_apart = set()
    for model in dict.fromkeys(model for _, model in files):
        plain = model.module(parity)
        ours = model_outputs(parity, plain)
        quick = model_outputs(parity, folded(plain, torch.device("cpu")))
        for path, theirs in files:
            faults = model_faults(parity, path, ours)
            if model == theirs:
                assert not faults + model_faults(parity, path, quick)
                continue
            assert clear_faults(faults), f"the model of {path.name} is taken for {model}"
            if len(differ_in(model, theirs)) == 1:
                told_apart |= set(differ_in(model, theirs))
    assert told_apart >= {"activation", "smoothing", "pcen"}


@pytest.mark.golden
@pytest.mark.parametrize(
    "name, wrong",
    [("_BN_EPSILON", 1e-3), ("strided_padding", lambda size, kernel: (kernel // 2, kernel // 2))],
    ids=["epsilon of batch normalisation", "padding"],
)
def test_a_wrong_epsilon_or_padding_is_seen(
    name: str, wrong: object, parity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = expected(parity)[0]
    monkeypatch.setattr(efficientnet, name, wrong)
    assert clear_faults(model_faults(parity, path, model_outputs(parity, model.module(parity))))


def clear_faults(faults: list[str]) -> list[str]:
    """Choose those of embeddings of sounds without a chirp, where limits are narrow."""
    return [line for line in faults if ": embedding" in line and "chirp" not in line]


@pytest.mark.golden
def test_framing_and_normalisation_equal_perch_hoplites(parity: Path) -> None:
    """The encoder on framed sound, as perch-hoplite's wrapper has it, with an offset to remove."""
    limits, found, compared = tolerances(parity)["zoo_wrapper"], [], 0
    for path in parity.glob("full_model/zoo_wrapper_*.npz"):
        model = Model.named(path.stem.removeprefix("zoo_wrapper_"))
        switches = Switches(model.front_end.smoothing, model.activation, model.front_end.pcen)
        ready = converted(parameters(parity), tuple(heads(parity)), switches, name="perch")
        encoder, theirs = PerchEncoder(ready, device="cpu"), arrays(path)
        for key in theirs:
            if not key.endswith("__embedding"):
                continue
            case = key.removesuffix("__embedding")
            clip, hop = case.split("_hop")
            audio = from_int16(theirs[f"{clip}__audio_int16"]) + 0.01
            frames = frame(audio, float(hop.replace("p", ".")))
            scaled = PERCH(frames)
            embeddings, labels = encoder.encode_with_logits(frames)
            atol = limits[f"embedding_atol_{'long' if 'long' in clip else 'short'}"]
            for what, ours, limit in (
                ("framed_firstsamples", scaled[:, :64], limits["framed_atol"]),
                ("framed_absmax", scaled.abs().amax(1), limits["framed_atol"]),
                ("framed_mean", scaled.mean(1), limits["framed_atol"]),
                ("embedding", embeddings, atol),
                ("label", labels, atol),
            ):
                found += fault(f"{case}: {what}", ours, theirs[f"{case}__{what}"], limit)
                compared += 1
    assert compared
    assert not found


@pytest.mark.golden
def test_half_precision_is_used_where_it_keeps_the_embeddings(
    parity: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a GPU does, on a CPU: whatever "auto" decides, embeddings stay as in float32.

    float16 keeps those of the swish networks (bfloat16 those of none); in the relu networks, whose
    random weights magnify every rounding, it does not, and float32 is taken.
    """
    windows = torch.stack([wave for wave in waves(parity).values() if len(wave) == SAMPLES])
    for activation in ("swish", "relu"):
        use = replace(SWITCHES, activation=activation)  # type: ignore[arg-type]
        ready = converted(parameters(parity), tuple(heads(parity)), use)
        exact = PerchEncoder(ready, device="cpu").encode(windows)
        with monkeypatch.context() as patch:
            patch.setattr(surfperch, "choose_precision", lambda *_: torch.float16)
            as_on_a_gpu = PerchEncoder(ready, device="cpu").encode(windows)
        assert torch.cosine_similarity(as_on_a_gpu, exact).min() > COSINE
        assert ("float32" in caplog.text) == torch.equal(as_on_a_gpu, exact)
        caplog.clear()


# --- as an encoder --------------------------------------------------------------------------------


def test_it_is_a_classifying_encoder_with_a_name_for_every_class(encoder: PerchEncoder) -> None:
    assert isinstance(encoder, ClassifyingEncoder)
    assert (encoder.name, encoder.sample_rate, encoder.window_s) == ("surfperch", 32_000, 5.0)
    assert encoder.class_names == [f"reef_label {i}" for i in range(6)]
    assert encoder.licence == "Apache-2.0"
    assert encoder.device.startswith("CPU")


def test_perch_names_species_and_surfperch_reef_sounds(encoder: PerchEncoder) -> None:
    perch = PerchEncoder(converted(heads=HEADS[:4], name="perch"), device="cpu")
    assert perch.class_names[0] == "label 0"
    windows = sounds(1)
    for either, main in ((perch, "label"), (encoder, "reef_label")):
        every = either.all_logits(windows)
        assert {head: scores.shape[1] for head, scores in every.items()} == {
            head: len(names) for head, names in either.all_class_names.items()
        }
        torch.testing.assert_close(either.logits(windows), every[main])


def test_embeddings_are_finite_whatever_the_sound(encoder: PerchEncoder) -> None:
    embeddings, logits = encoder.encode_with_logits(sounds())
    assert embeddings.shape == (5, 1280)
    assert embeddings.dtype == logits.dtype == torch.float32
    assert embeddings.isfinite().all() and logits.isfinite().all()


def test_neither_gain_nor_offset_matters(encoder: PerchEncoder) -> None:
    noise = sounds(1)
    torch.testing.assert_close(
        encoder.encode(0.01 * noise + 0.1), encoder.encode(noise), rtol=1e-3, atol=1e-4
    )


def test_no_windows_give_no_embeddings(encoder: PerchEncoder) -> None:
    none = torch.empty(0, SAMPLES)
    embeddings, logits = encoder.encode_with_logits(none)
    assert embeddings.shape == (0, 1280)
    assert logits.shape == (0, 6)
    assert {len(scores) for scores in encoder.all_logits(none).values()} == {0}


def test_an_embedding_does_not_depend_on_its_batch_or_thread(encoder: PerchEncoder) -> None:
    windows = sounds(6)
    alone = torch.cat([encoder.encode(window[None]) for window in windows])
    torch.set_num_threads(2)
    together = encoder.encode(windows)
    torch.set_num_threads(1)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-5)


def test_windows_of_another_length_are_refused(encoder: PerchEncoder) -> None:
    with pytest.raises(ParameterError, match=r"surfperch.*160000"):
        encoder.encode(torch.zeros(1, 96_000))


# --- what a GPU will do, on a CPU -----------------------------------------------------------------


@pytest.mark.parametrize("activation", ["swish", "relu"])
def test_float16_stays_close(activation: efficientnet.Activation) -> None:
    ready = converted(switches=replace(SWITCHES, activation=activation))
    exact = PerchEncoder(ready, device="cpu").encode(sounds(3))
    encoder = PerchEncoder(ready, device="cpu", precision="float16")
    half, logits = encoder.encode_with_logits(sounds(3))
    assert half.dtype == logits.dtype == torch.float32
    assert not torch.equal(half, exact)
    assert torch.cosine_similarity(half, exact).min() > COSINE


def test_the_front_end_is_never_in_half_precision(encoder: PerchEncoder) -> None:
    seen: list[torch.dtype] = []
    network = SurfPerch.from_parameters(random_parameters("b1"), **vars(SWITCHES))
    network.network.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    with torch.inference_mode():
        assert network(sounds(1), torch.bfloat16).dtype == torch.float32
    assert seen == [torch.float32]


def test_a_network_that_half_precision_breaks_runs_in_float32(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Activations beyond float16's 65,504 become infinite, and the embedding with them."""
    ready = converted(random_parameters("b1", CLASSES))
    stem = "params/encoder/Stem_0/BatchNorm_0/scale"
    ready.parameters[stem][:] *= 1e6
    monkeypatch.setattr(surfperch, "choose_precision", lambda *_: torch.float16)
    assert PerchEncoder(ready, device="cpu").encode(sounds(1)).isfinite().all()
    assert "float32" in caplog.text


def test_the_whole_network_moves_to_another_device() -> None:
    """A tensor left behind on the CPU would fail here, as it would on a GPU."""
    network = SurfPerch.from_parameters(random_parameters("b1", CLASSES), **vars(SWITCHES))
    network.to("meta")
    embeddings = network(PERCH(torch.empty(3, SAMPLES, device="meta")))
    assert embeddings.shape == (3, 1280)
    assert [len(scores[0]) for scores in network.logits(embeddings).values()] == list(CLASSES)


# --- weights, framing, errors ---------------------------------------------------------------------


def test_heads_may_be_of_any_number_and_size() -> None:
    for classes in ((), (9,), (3, 2)):
        flax = random_parameters("b1", classes)
        network = SurfPerch.from_parameters(flax, **vars(SWITCHES))
        assert [head.out_features for head in network.heads.values()] == list(classes)
        assert list(network.heads) == list(HEADS[: len(classes)])
        assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
        assert not network.training
    with pytest.raises(EncoderError, match="2 heads, but names for 1 only"):
        SurfPerch.from_parameters(flax, **vars(SWITCHES), heads=["label"])


@pytest.mark.parametrize(
    "path, array, message",
    [
        ("params/encoder/Stem_0/Conv_0/kernel", None, "is missing"),
        ("params/Dense_1/bias", None, "is missing"),
        ("params/Dense_1/kernel", None, "is missing"),
        ("params/Dense_2/kernel", None, "is missing"),
        ("params/Dense_1/kernel", np.zeros((1280, 2)), r"is \[1280, 2\] and should be \[1280, 3\]"),
        ("params/Dense_1/kernel", np.zeros((640, 3)), r"is \[640, 3\] and should be \[1280, 3\]"),
        ("params/encoder/Head_0/BatchNorm_0/scale", np.zeros(1281), r"is \[1281\] and should be"),
        ("params/frontend/spcen_smooth", np.zeros(128), "does not belong"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(
    path: str, array: np.ndarray | None, message: str
) -> None:
    flax = random_parameters("b1", (4, 3, 2))
    if array is None:
        del flax[path]
    else:
        flax[path] = array
    with pytest.raises(EncoderError, match=f"{path} {message}"):
        SurfPerch.from_parameters(flax, **vars(SWITCHES))


def test_heads_and_lists_of_classes_must_agree() -> None:
    ready = converted()
    with pytest.raises(EncoderError, match="no head reef_label"):
        PerchEncoder(converted(heads=HEADS[:4]), device="cpu")
    names = {**ready.class_names, "genus": ["one"]}
    with pytest.raises(EncoderError, match=r"'genus': 5.*'genus': 1"):
        PerchEncoder(replace(ready, class_names=names), device="cpu")


def test_sound_is_framed_as_perch_hoplite_frames_it() -> None:
    audio = torch.arange(400_000.0)
    assert frame(audio)[:, 0].tolist() == [0, 160_000]  # what is left is dropped
    assert frame(audio, hop_s=2.5)[:, 0].tolist() == [0, 80_000, 160_000, 240_000]
    (short,) = frame(torch.ones(95_999))  # centred; the odd zero goes to the end
    assert short.nonzero().flatten()[[0, -1]].tolist() == [32_000, 127_998]
    assert not PERCH(frame(torch.zeros(10))).any()
    with pytest.raises(ParameterError, match="hop_s=0"):
        frame(audio, hop_s=0)


@pytest.mark.parametrize("name", ["surfperch", "perch"])
def test_load_takes_what_was_installed_or_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path | None]] = []

    def find(name: str, path: Path | None) -> Converted:
        asked.append((name, path))
        return converted(name=name)

    monkeypatch.setattr(perch_weights, "find", find)
    assert surfperch.load(name, device="cpu").name == name  # type: ignore[arg-type]
    surfperch.load(name, device="cpu", path=str(tmp_path), window_s=5.0)  # type: ignore[arg-type]
    assert asked == [(name, None), (name, tmp_path)]
    with pytest.raises(ParameterError, match=r"5\.0 s"):
        surfperch.load(name, device="cpu", window_s=3.0)  # type: ignore[arg-type]
