"""Grown networks compute what they did, and have as much to learn as can be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from explorer.errors import ParameterError
from explorer.pretrain.growth import grow, mean_norm


class Grown(nn.Module):
    """One hidden layer of tanh units, and beside it the new ones."""

    def __init__(self, golden: dict[str, torch.Tensor], k: int) -> None:
        super().__init__()
        for name in ("W1", "b1", "W2", "b2"):
            self.register_parameter(name, nn.Parameter(golden[name]))
        grown = grow(self.gradient(golden["X"], golden["y"]), k, scale=mean_norm(golden["W2"]))
        self.gradient_norm = grown.gradient_norm
        self.fan_in, self.fan_out = nn.Parameter(grown.fan_in), nn.Parameter(grown.fan_out)

    def old(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.tanh(rows @ self.W1.T + self.b1) @ self.W2.T + self.b2

    def gradient(self, rows: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        logits = self.old(rows).detach().requires_grad_()
        nn.functional.cross_entropy(logits, truth).backward()
        assert logits.grad is not None
        return logits.grad.T @ rows  # the mean is in the loss

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.old(rows) + torch.tanh(rows @ self.fan_in.T) @ self.fan_out.T


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, torch.Tensor]:
    with np.load(shared / "golden" / "gradmax.npz", allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored}


@pytest.fixture(scope="module")
def allowed(shared: Path) -> tuple[float, float]:
    """How far the function may change, and the norm's relative error."""
    files = json.loads((shared / "golden" / "manifest.json").read_text())["files"]
    found = re.findall(r"< (\S+);.*rtol (\S+);", files["gradmax.npz"]["tol"])[0]
    return float(found[0]), float(found[1])


@pytest.mark.golden
def test_new_units_are_the_published_ones(golden, allowed):
    k = int(golden["k"])
    network = Grown(golden, k)
    gradient = network.gradient(golden["X"], golden["y"])
    rtol = allowed[1]
    torch.testing.assert_close(gradient, golden["M"], rtol=rtol, atol=1e-12)
    torch.testing.assert_close(torch.linalg.svdvals(gradient), golden["singular_values"])
    assert mean_norm(golden["W2"]) == pytest.approx(float(golden["scale"]), rel=rtol)
    fan_out = network.fan_out.detach()
    torch.testing.assert_close(fan_out.abs(), golden["W2_new_abs"], rtol=rtol, atol=1e-10)
    torch.testing.assert_close(fan_out, golden["W2_new"], rtol=rtol, atol=1e-10)
    assert network.gradient_norm == pytest.approx(float(golden["new_grad_norm_closed"]), rel=rtol)


@pytest.mark.golden
def test_growing_changes_nothing_and_the_gradient_is_what_was_promised(golden, allowed):
    network = Grown(golden, int(golden["k"]))
    before, after = golden["logits_before"], network(golden["X"])
    assert (after - before).abs().max() < allowed[0]
    nn.functional.cross_entropy(after, golden["y"]).backward()
    gradient = network.fan_in.grad
    assert gradient is not None
    torch.testing.assert_close(gradient, golden["first_step_grad"], rtol=1e-7, atol=1e-10)
    assert float(gradient.norm()) == pytest.approx(float(golden["new_grad_norm"]), rel=allowed[1])
    assert float(gradient.norm()) > float(golden["random_grad_norm_mean"])


@pytest.mark.golden
def test_random_orthogonal_units_have_less_to_learn(golden):
    k = int(golden["k"])
    network = Grown(golden, k)
    gradient = network.gradient(golden["X"], golden["y"])
    torch.manual_seed(0)
    for _ in range(20):
        columns, _ = torch.linalg.qr(torch.randn(len(gradient), k, dtype=gradient.dtype))
        random = float(torch.linalg.matrix_norm(columns.T @ gradient)) * float(golden["scale"])
        assert random <= network.gradient_norm
    # Columns that may be alike can do better, which is why they must not be (golden/README 4.5).
    top = torch.linalg.svdvals(gradient)[0]
    alike = float(golden["scale"] * top) * k**0.5
    assert max(alike, network.gradient_norm) >= float(golden["random_grad_norm_max"])


def test_there_are_no_more_new_units_than_directions():
    gradient = torch.randn(2, 5)
    with pytest.raises(ParameterError, match="only 2 directions"):
        grow(gradient, 3, scale=1.0)
    with pytest.raises(ParameterError, match="NaN"):
        grow(gradient * torch.nan, 1, scale=1.0)


def test_the_same_gradient_always_gives_the_same_units():
    gradient = torch.randn(4, 6, generator=torch.Generator().manual_seed(3))
    once, again = grow(gradient, 4, scale=1.0), grow(gradient.clone(), 4, scale=1.0)
    assert torch.equal(once.fan_out, again.fan_out)
    assert not once.fan_in.any()
