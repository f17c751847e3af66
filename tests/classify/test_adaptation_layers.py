"""Adapting a network's own normalisation layers, on a small network that is really trained."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from explorer.classify.adaptation_layers import adapt_network
from explorer.classify.adaptation_settings import METHODS, Settings
from explorer.classify.adaptation_training import AdaptationCancelled
from explorer.errors import ParameterError

CLASSES = 3
SCALES_AND_SHIFTS = {f"body.{layer}.{name}" for layer in (1, 4) for name in ("weight", "bias")}


class SmallNetwork(nn.Module):
    """Two convolutions with BatchNorm over a picture of 8 x 8, as a spectrogram would be."""

    def __init__(self, normalisation: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            normalisation(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, stride=2),
            normalisation(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.head = nn.Linear(8 * 16, CLASSES)

    def look(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(windows)
        return features, self.head(features)


def pictures(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Calls of three shapes in noise, and which call each is."""
    random = torch.Generator().manual_seed(seed)
    shapes = torch.randn(CLASSES, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    which = torch.randint(CLASSES, (n,), generator=random)
    return shapes[which] + 2.0 * torch.randn(n, 1, 8, 8, generator=random), which


def elsewhere(windows: Tensor) -> Tensor:
    """A recorder that is less sensitive, and hears a hum."""
    return 0.2 * windows + 1.5


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Layers as small as these are not worth sharing among cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(one_core: None) -> dict[str, Tensor]:
    """What a network has learnt where there were labels."""
    torch.manual_seed(0)
    network, (windows, which) = SmallNetwork(), pictures(600, 1)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(6):
        for rows in torch.randperm(len(windows)).split(64):
            optimiser.zero_grad()
            _, logits = network.look(windows[rows])
            nn.functional.cross_entropy(logits, which[rows]).backward()
            optimiser.step()
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture
def network(trained) -> SmallNetwork:
    network = SmallNetwork()
    network.load_state_dict(trained)
    return network.eval()


def share_right(network: SmallNetwork, windows: Tensor, which: Tensor) -> float:
    with torch.no_grad():
        return float((network.look(windows)[1].argmax(dim=1) == which).float().mean())


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_statistics_of_the_new_place_repair_the_network(network):
    windows, which = pictures(300, 2)
    there = elsewhere(windows)
    at_first = share_right(network, there, which)
    adapted = adapt_network(network, network.look, there, settings=Settings("adabn"))
    assert share_right(network, there, which) > at_first + 0.15
    assert {name.rsplit(".", 1)[1] for name in adapted.after} == {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }
    assert adapted.history == ()


def test_statistics_are_those_of_what_the_first_layer_meets(network):
    there = elsewhere(pictures(256, 2)[0])
    adapt_network(network, network.look, there, settings=Settings("adabn", batch_size=32))
    with torch.no_grad():
        met = network.body[0](there)
    norm = network.body[1]
    torch.testing.assert_close(norm.running_mean, met.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var, met.var(dim=(0, 2, 3)), rtol=0.05, atol=1e-3)
    assert norm.momentum == 0.1


@pytest.mark.parametrize("multi_label", [True, False])
@pytest.mark.parametrize("method", [method for method in METHODS if method != "adabn"])
def test_only_scales_and_shifts_are_trained(network, method, multi_label):
    windows = pictures(200, 3)[0]
    before = state(network)
    settings = Settings(
        method, multi_label=multi_label, standardise=False, epochs=2, learning_rate=1e-3, beta=0.3
    )
    adapted = adapt_network(network, network.look, elsewhere(windows), settings=settings)
    assert set(adapted.after) <= {
        f"body.{at}.{name}" for at in (1, 4) for name in ("weight", "bias")
    }
    assert adapted.after
    assert all(torch.isfinite(value).all() for value in adapted.after.values())
    adapted.undo()
    assert same(state(network), before)
    adapted.redo()
    assert not same(state(network), before)


def test_notela_after_the_statistics_keeps_what_they_gained(network):
    windows, which = pictures(300, 4)
    there = elsewhere(windows)
    at_first = share_right(network, there, which)
    adapt_network(network, network.look, there, settings=Settings("notela", multi_label=False))
    assert share_right(network, there, which) > at_first + 0.15


def test_everything_is_trained_when_asked(network):
    settings = Settings("tent", train="all", epochs=1, standardise=False)
    adapted = adapt_network(network, network.look, pictures(100, 5)[0], settings=settings)
    assert {"head.weight", "body.0.weight", "body.1.weight"} <= set(adapted.after)


def test_the_same_seed_gives_the_same_network_and_leaves_other_random_numbers_alone(network):
    windows = pictures(100, 6)[0]
    found = []
    for seed in (0, 0, 1):
        settings = Settings("dropout_student", epochs=1, seed=seed)
        torch.manual_seed(7)
        adapted = adapt_network(network, network.look, windows, settings=settings)
        found.append((adapted.after, torch.rand(1)))
        adapted.undo()
    (first, drawn), (second, again), (other, _) = found
    assert same(first, second) and not same(first, other)
    torch.manual_seed(7)
    assert torch.equal(drawn, again) and torch.equal(drawn, torch.rand(1))


def test_a_network_is_left_in_the_mode_it_was_in(network):
    network.train()
    network.head.eval()
    network.head.bias.requires_grad_(False)
    adapt_network(network, network.look, pictures(80, 8)[0], settings=Settings("tent", epochs=1))
    assert network.body.training and not network.head.training
    assert not network.head.bias.requires_grad and network.head.weight.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("normalisation", [lambda n: nn.GroupNorm(2, n), nn.InstanceNorm2d])
def test_other_kinds_of_normalisation(normalisation):
    network = SmallNetwork(normalisation)
    given = network, network.look, pictures(80, 9)[0]
    if normalisation is nn.InstanceNorm2d:  # it has neither statistics nor anything to train
        with pytest.raises(ParameterError, match="no normalisation layer"):
            adapt_network(*given, settings=Settings("tent"))
    else:
        adapted = adapt_network(*given, settings=Settings("tent", epochs=1))
        assert set(adapted.after) == SCALES_AND_SHIFTS


def test_stopping_puts_the_network_back(network):
    before, stop = state(network), threading.Event()
    stop.set()
    with pytest.raises(AdaptationCancelled):
        adapt_network(
            network, network.look, pictures(80, 10)[0], settings=Settings("tent"), cancel=stop
        )
    assert same(state(network), before)


def test_windows_are_fetched_by_number(network):
    windows, asked = pictures(90, 11)[0], []

    class FromFiles:
        def __len__(self) -> int:
            return len(windows)

        def __getitem__(self, rows: Tensor) -> Tensor:
            asked.extend(rows.tolist())
            return windows[rows]

    settings = Settings("tent", epochs=1, most_windows=30)
    adapt_network(network, network.look, FromFiles(), settings=settings)
    assert set(asked) == set(range(0, 90, 3))


def test_classes_that_cannot_occur_teach_nothing(network):
    windows = pictures(80, 12)[0]
    settings = Settings("tent", epochs=1, train="all", learning_rate=1e-3)
    adapted = adapt_network(
        network, network.look, windows, settings=settings, can_occur=[True, False, True]
    )
    before, after = adapted.before["head.weight"], adapted.after["head.weight"]
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


def test_what_cannot_be_adapted_is_refused_in_words(network):
    plain = nn.Linear(4, 2)
    with pytest.raises(ParameterError, match="no normalisation layer"):
        adapt_network(plain, lambda x: (x, plain(x)), torch.ones(9, 4), settings=Settings())
    with pytest.raises(ParameterError, match="too few"):
        adapt_network(network, network.look, torch.ones(1, 1, 8, 8), settings=Settings())
    with pytest.raises(ParameterError, match="no class"):
        adapt_network(
            network,
            network.look,
            pictures(9, 0)[0],
            settings=Settings(),
            can_occur=[False] * CLASSES,
        )
    before = state(network)
    broken = pictures(80, 13)[0]
    broken[5] = torch.nan
    with pytest.raises(ParameterError, match="smaller learning_rate"):
        adapt_network(network, network.look, broken, settings=Settings("tent", standardise=False))
    assert same(state(network), before)
