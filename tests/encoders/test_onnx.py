"""Encoders in ONNX files: what they give, what is refused, and where they run."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnx_graphs
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from explorer.encoders import onnx_session
from explorer.encoders.base import ClassifyingEncoder, Encoder
from explorer.encoders.formats import onnx as onnx_file
from explorer.encoders.onnx import OnnxClassifier, OnnxEncoder, open_encoder
from explorer.encoders.onnx_models import BIRDNET3, PERCH2
from explorer.encoders.onnx_spec import OnnxSpec, fit
from explorer.errors import EncoderError, MissingDependencyError, ParameterError

SPEC = OnnxSpec(
    name="mine",
    version="1",
    model="mine.onnx",
    sample_rate=16_000,
    window_s=1.0,
    dimension=32,
    licence="ours",
    input="inputs",
    embedding="embedding",
)


@pytest.fixture
def windows() -> torch.Tensor:
    return torch.randn(11, 16_000, generator=torch.Generator().manual_seed(0)) + 0.1


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return onnx_graphs.write(tmp_path / "mine.onnx", samples=16_000, dimension=32, classes=5)


@pytest.fixture
def perch(tmp_path: Path) -> tuple[Path, Path]:
    """A file of Perch 2's signature and its class names."""
    labels = tmp_path / "labels.csv"
    names = [f"Species {i}" for i in range(14_795)]
    labels.write_text("\r\n".join(["inat2024_fsd50k", *names]), encoding="utf-8")
    return onnx_graphs.perch2(tmp_path / "perch_v2_no_dft.onnx"), labels


@pytest.fixture
def birdnet(tmp_path: Path) -> tuple[Path, Path]:
    """A file of BirdNET 3.0's signature and its class names."""
    labels = tmp_path / "labels.csv"
    rows = [f"{i};{i};Genus species{i};Bird {i};Aves;Order" for i in range(11_560)]
    header = "\ufeffidx;id;sci_name;com_name;class;order"
    labels.write_text("\n".join([header, *rows]), encoding="utf-8")
    return onnx_graphs.birdnet3(tmp_path / "birdnet3.onnx"), labels


# --- what they give -----------------------------------------------------------------------------


def test_embeddings_are_what_the_files_arithmetic_gives(model, windows):
    encoder = OnnxEncoder(SPEC, model, device="cpu")
    expected = onnx_graphs.embedding_of(windows.numpy(), 32)
    np.testing.assert_allclose(encoder.encode(windows).numpy(), expected, atol=1e-5)
    assert encoder.encode(windows[:0]).shape == (0, 32)


def test_a_file_without_classes_is_an_encoder_but_no_classifier(model):
    encoder = open_encoder(SPEC, model, None, device="cpu")
    assert isinstance(encoder, Encoder)
    assert not isinstance(encoder, ClassifyingEncoder)


def test_a_file_for_single_windows_gives_the_same_as_one_for_batches(tmp_path, model, windows):
    batches = OnnxEncoder(SPEC, model, device="cpu").encode(windows)
    for size in (1, 4):  # four: the last batch of eleven is filled up
        fixed = onnx_graphs.write(
            tmp_path / f"{size}.onnx", samples=16_000, dimension=32, classes=5, batch=size
        )
        encoder = OnnxEncoder(SPEC, fixed, device="cpu")
        torch.testing.assert_close(encoder.encode(windows), batches)


def test_perch2_sees_windows_without_mean_and_with_a_peak_of_a_quarter(perch, windows):
    encoder = open_encoder(PERCH2.spec, *perch, device="cpu")
    assert isinstance(encoder, ClassifyingEncoder)
    loud = windows[:2].repeat(1, 10)
    embeddings, logits = encoder.encode_with_logits(loud)
    seen = loud.numpy() - loud.numpy().mean(1, keepdims=True)
    seen *= 0.25 / np.abs(seen).max(1, keepdims=True)
    expected = onnx_graphs.embedding_of(seen, 1536)
    np.testing.assert_allclose(embeddings.numpy(), expected, atol=1e-6)
    scores = onnx_graphs.scores_of(expected, 14_795)
    np.testing.assert_allclose(logits.numpy(), 0.97 * scores - 10, atol=1e-4)
    torch.testing.assert_close(encoder.encode(loud * 0.01), embeddings)
    assert encoder.class_names[-1] == "Species 14794"


def test_birdnet3_gives_logits_of_its_probabilities_within_what_these_tell_apart(birdnet):
    encoder = open_encoder(BIRDNET3.spec, *birdnet, device="cpu")
    assert isinstance(encoder, OnnxClassifier)
    level = torch.tensor([[0.2], [-1.0]]).expand(2, 96_000)
    embeddings, logits = encoder.encode_with_logits(level)
    scores = onnx_graphs.scores_of(onnx_graphs.embedding_of(level.numpy(), 1280), 11_560)
    near = np.abs(scores) < 8
    np.testing.assert_allclose(logits.numpy()[near], scores[near], atol=1e-3)
    assert logits.isfinite().all()
    assert 15.9 < logits.abs().max() < 16.2  # the ends, -40 and 40, are beyond float32
    torch.testing.assert_close(encoder.logits(level), logits)
    torch.testing.assert_close(encoder.encode(level), embeddings)
    assert encoder.class_names[7] == "Genus species7_Bird 7"


def test_birdnet3_takes_windows_of_another_length_and_perch2_does_not(birdnet, perch):
    encoder = OnnxEncoder(BIRDNET3.spec, birdnet[0], device="cpu", window_s=5.0)
    assert encoder.window_s == 5.0
    assert encoder.encode(torch.zeros(2, 160_000)).shape == (2, 1280)
    with pytest.raises(EncoderError, match="160000 long, but windows of 3 s at 32000 Hz are 96000"):
        OnnxEncoder(PERCH2.spec, perch[0], device="cpu", window_s=3.0)
    with pytest.raises(ParameterError, match=r"windows of 0.0 s hold no sound"):
        OnnxEncoder(BIRDNET3.spec, birdnet[0], device="cpu", window_s=0.0)


def test_files_in_half_precision_are_fed_and_read_as_such(tmp_path, windows):
    mean = np.full((16_000, 32), 1 / 16_000, np.float16)
    path = save(
        tmp_path / "half.onnx",
        [helper.make_node("MatMul", ["inputs", "mean"], ["embedding"])],
        {"mean": mean},
        kind=TensorProto.FLOAT16,
    )
    embeddings = OnnxEncoder(SPEC, path, device="cpu").encode(windows)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings[:, 0], windows.mean(1), atol=2e-3, rtol=0.02)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": "audio"}, "no input called audio"),
        ({"embedding": "features"}, "no output called features"),
        ({"embedding": 2}, "2 outputs, none with number 2"),
        ({"dimension": 64}, "embedding is 32 long, but dimension is 64"),
        ({"sample_rate": 48_000}, "16000 long, but windows of 1 s at 48000 Hz are 48000"),
        ({"logits": "species"}, "no output called species"),
    ],
)
def test_a_file_that_is_not_what_is_declared_is_refused_with_what_differs(model, changes, words):
    with pytest.raises(EncoderError, match=words) as refused:
        OnnxEncoder(replace(SPEC, **changes), model, device="cpu")
    assert "inputs float32 [any, 16000]" in str(refused.value)  # what it has instead
    assert "label float32 [any, 5]" in str(refused.value)


def test_all_that_differs_is_said_at_once(model):
    with pytest.raises(EncoderError, match=r"(?s)called audio.*dimension is 7"):
        fit(replace(SPEC, input="audio", dimension=7), model)


def test_a_spectrogram_is_no_embedding(perch):
    with pytest.raises(EncoderError, match="spectrogram has 3 dimensions instead of 2"):
        fit(replace(PERCH2.spec, embedding="spectrogram", dimension=128), perch[0])


def test_other_numbers_than_floats_and_second_inputs_are_refused(tmp_path):
    path = save(
        tmp_path / "two.onnx",
        [helper.make_node("Add", ["inputs", "more"], ["embedding"])],
        {},
        kind=TensorProto.INT32,
        inputs=("inputs", "more"),
    )
    with pytest.raises(EncoderError, match=r"(?s)2 inputs.*inputs holds int32, not floats"):
        fit(SPEC, path)


def test_names_for_another_number_of_classes_are_refused(birdnet):
    model, labels = birdnet
    labels.write_text(
        labels.read_text(encoding="utf-8") + "\n0;0;One;Too many;Aves;Order", encoding="utf-8"
    )
    with pytest.raises(EncoderError, match=r"11561 class names, but .* gives 11560"):
        open_encoder(BIRDNET3.spec, model, labels, device="cpu")
    labels.write_text("name\nA\n")
    with pytest.raises(EncoderError, match="no column com_name, sci_name"):
        open_encoder(BIRDNET3.spec, model, labels, device="cpu")


def test_wrong_windows_are_refused(model):
    encoder = OnnxEncoder(SPEC, model, device="cpu")
    with pytest.raises(ParameterError, match=r"\[batch, 16000\] is needed"):
        encoder.encode(torch.zeros(1, 8_000))


@pytest.mark.parametrize(
    "content", [b"", b"not an ONNX file at all", b"\x08\x01"], ids=["empty", "text", "no graph"]
)
def test_what_is_no_onnx_file_is_called_so(tmp_path, content):
    path = tmp_path / "some.onnx"
    path.write_bytes(content)
    with pytest.raises(EncoderError, match=r"some.onnx: is damaged or not an ONNX file"):
        OnnxEncoder(SPEC, path, device="cpu")


def test_a_file_that_is_cut_off_or_missing_is_called_so(model):
    model.write_bytes(model.read_bytes()[:-50])
    with pytest.raises(EncoderError, match="is damaged or not an ONNX file"):
        OnnxEncoder(SPEC, model, device="cpu")
    with pytest.raises(EncoderError, match=r"gone.onnx: no such file"):
        OnnxEncoder(SPEC, model.with_name("gone.onnx"), device="cpu")


def test_a_file_that_cannot_take_a_window_says_so_when_it_is_loaded(tmp_path):
    path = onnx_graphs.write(tmp_path / "any.onnx", samples="samples", dimension=32, classes=5)
    odd = replace(SPEC, window_s=1.00005)  # 16,001 samples do not make sixteenths
    with pytest.raises(EncoderError, match=r"could not run windows of 1.00005 s"):
        OnnxEncoder(odd, path, device="cpu")


def test_without_onnxruntime_the_cure_is_given(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"soundscape-explorer\[onnx\]"):
        OnnxEncoder(SPEC, model, device="cpu")


# --- the part of a file that is run -------------------------------------------------------------


def test_embeddings_alone_do_not_pay_for_the_classes(perch):
    part = onnx.load_from_string(onnx_file.only(perch[0], ["embedding"]))
    onnx.checker.check_model(part)
    assert [value.name for value in part.graph.output] == ["embedding"]
    assert "classes" not in {weight.name for weight in part.graph.initializer}
    made = {name for node in part.graph.node for name in node.output}
    assert made == {"cut", "means", "tiled", "sliced", "embedding"}


def test_what_a_branch_takes_from_outside_is_kept(tmp_path, windows):
    """A model may choose its way: what the ways use is not among the inputs of the choice."""
    ways = {
        name: helper.make_graph(
            [helper.make_node("Mul", ["means", factor], [name])],
            name,
            [],
            [onnx_graphs.port(name, ["n", 32])],
        )
        for name, factor in (("quiet", "half"), ("loud", "double"))
    }
    path = save(
        tmp_path / "ways.onnx",
        [
            helper.make_node("MatMul", ["inputs", "mean"], ["means"]),
            helper.make_node(
                "If", ["yes"], ["embedding"], then_branch=ways["loud"], else_branch=ways["quiet"]
            ),
        ],
        {
            "mean": np.full((16_000, 32), 1 / 16_000, np.float32),
            "yes": np.array(True),
            "half": np.float32(0.5),
            "double": np.float32(2),
            "unused": np.zeros(1000, np.float32),
        },
    )
    embeddings = OnnxEncoder(SPEC, path, device="cpu").encode(windows)
    torch.testing.assert_close(embeddings[:, 0], 2 * windows.mean(1), atol=1e-5, rtol=1e-4)


def test_weights_in_a_file_beside_the_model_are_found(tmp_path, windows):
    mean = np.full((16_000, 32), 1 / 16_000, np.float32)
    path = save(
        tmp_path / "large.onnx",
        [helper.make_node("MatMul", ["inputs", "mean"], ["embedding"])],
        {"mean": mean},
        beside="large.onnx.data",
    )
    embeddings = OnnxEncoder(SPEC, path, device="cpu").encode(windows)
    torch.testing.assert_close(embeddings[:, 0], windows.mean(1), atol=1e-5, rtol=1e-4)


def test_old_files_that_list_their_weights_as_inputs_are_read(tmp_path):
    path = save(
        tmp_path / "old.onnx",
        [helper.make_node("MatMul", ["inputs", "mean"], ["embedding"])],
        {"mean": np.zeros((16_000, 32), np.float32)},
        inputs=("inputs", "mean"),
    )
    assert [port.name for port in onnx_file.signature(path).inputs] == ["inputs"]


# --- where they run -----------------------------------------------------------------------------


def test_on_a_cpu_each_of_torchs_threads_runs_windows_of_its_own(model, monkeypatch):
    encoder = OnnxEncoder(SPEC, model, device="cpu")
    assert encoder.device.startswith("CPU")
    assert encoder._for_embeddings.get_session_options().intra_op_num_threads == 1
    run, threads = encoder._run_piece, set()

    def watched(*arguments: object) -> list[torch.Tensor]:
        threads.add(threading.get_ident())
        time.sleep(0.05)  # long enough for the others to take their share
        return run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder, "_run_piece", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        encoder.encode(torch.zeros(12, 16_000))
    finally:
        torch.set_num_threads(before)
    assert len(threads) == 3


@pytest.fixture
def gpu_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torch could use a GPU."""
    monkeypatch.setattr(onnx_session, "choose_device", lambda device: torch.device("cuda"))


def test_a_gpu_that_only_torch_can_use_is_refused_by_name_and_told_with_auto(
    model, gpu_for_torch, windows
):
    with pytest.raises(EncoderError, match="pip install onnxruntime-gpu"):
        OnnxEncoder(SPEC, model, device="cuda")
    encoder = OnnxEncoder(SPEC, model, device="auto")
    assert "a GPU is here, but the package onnxruntime knows only the CPU" in encoder.device
    assert "cuda" not in encoder.device  # which would say that it runs there
    assert encoder.encode(windows).device.type == "cpu"


def test_a_cuda_provider_that_does_not_start_is_no_silent_cpu(model, gpu_for_torch, monkeypatch):
    fake = FakeRuntime(starts=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    with pytest.raises(EncoderError, match="CUDA provider did not start"):
        onnx_session.start(b"", model, "cuda")
    _, device, words = onnx_session.start(b"", model, "auto")
    assert device.type == "cpu"
    assert "CUDA provider did not start" in words


def test_the_cuda_provider_is_asked_for_on_the_right_gpu(model, monkeypatch):
    fake = FakeRuntime(starts=True)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    monkeypatch.setattr(onnx_session, "choose_device", torch.device)
    monkeypatch.setattr(onnx_session, "describe_device", str)
    _, device, words = onnx_session.start(b"", model, "cuda:1")
    (provider, settings), last = fake.asked
    assert (provider, last) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert settings["device_id"] == 1
    assert device == torch.device("cuda:1")
    assert words == "cuda:1"


def test_a_full_gpu_is_told_as_torch_tells_it_so_that_batches_shrink(model, monkeypatch):
    encoder = OnnxEncoder(SPEC, model, device="cpu")

    class Full:
        def io_binding(self) -> SimpleNamespace:
            return SimpleNamespace(bind_input=lambda **_: None, bind_output=lambda **_: None)

        def run_with_iobinding(self, binding: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 2048")

    monkeypatch.setattr(encoder, "_for_embeddings", Full())
    with pytest.raises(torch.OutOfMemoryError, match="mine"):
        encoder.encode(torch.zeros(1, 16_000))


class FakeRuntime:
    """An onnxruntime with CUDA, whose provider starts or does not."""

    __version__ = "1"

    def __init__(self, *, starts: bool) -> None:
        self.starts = starts
        self.asked: list[object] = []

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def SessionOptions(self) -> SimpleNamespace:
        return SimpleNamespace(add_session_config_entry=lambda key, value: None)

    def InferenceSession(
        self, model: bytes, options: object, providers: list[object]
    ) -> SimpleNamespace:
        self.asked = providers
        there = [p if isinstance(p, str) else p[0] for p in providers[0 if self.starts else -1 :]]
        return SimpleNamespace(get_providers=lambda: there)


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    *,
    kind: int = TensorProto.FLOAT,
    inputs: tuple[str, ...] = ("inputs",),
    beside: str | None = None,
) -> Path:
    """Write a file that makes `embedding` of `inputs`; `beside`: its weights in another file."""
    shapes = {name: list(array.shape) for name, array in weights.items()}
    ports = [
        helper.make_tensor_value_info(name, kind, shapes.get(name, ["n", 16_000]))
        for name in inputs
    ]
    out = [helper.make_tensor_value_info("embedding", kind, ["n", 32])]
    tensors = [numpy_helper.from_array(np.asarray(array), n) for n, array in weights.items()]
    graph = helper.make_graph(nodes, "graph", ports, out, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(
        model, path, save_as_external_data=beside is not None, location=beside, size_threshold=0
    )
    return path
