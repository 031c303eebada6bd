import copy

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.autoencoders import (
    AE,
    Contraction,
    KeepLargest,
    Sparsity,
    dense_networks,
    squared_jacobian_norm,
)
from ancestral.autoencoders.autoencoder import CodeLaw
from ancestral.capabilities import Batch
from ancestral.classic import KDE, Empirical
from ancestral.data.projections import PrincipalAxes, principal_angles

pytestmark = pytest.mark.usefixtures("float64")


def loss_of(model: AE, x: Tensor) -> Tensor:
    (player,) = model.players()
    found = player.loss(Batch(x), Generator().manual_seed(0))
    return found.total / found.weight


def minimise(model: AE, x: Tensor, steps: int = 60) -> AE:
    """Lower the loss by L-BFGS, to the last digits."""
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=steps * 10,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        history_size=30,
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, x)
        loss.backward()
        return loss

    optimizer.step(closure)
    return model


def norms(model: AE, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return squared_jacobian_norm(x, model.encode(x).mean).sqrt().detach()


def dense(features: int, latent: int, **how: object) -> AE:
    networks = dense_networks((features,), latent, hidden=(16,))
    return AE(*networks, event_shape=(features,), latent=latent, **how)


def test_a_code_that_is_wide_enough_gives_everything_back() -> None:
    widen, cut = nn.Linear(2, 5, bias=False), nn.Linear(5, 2, bias=False)
    with torch.no_grad():
        widen.weight.copy_(torch.eye(5)[:, :2])
        cut.weight.copy_(torch.eye(5)[:2])
    model = AE(widen, cut, event_shape=(2,), latent=5)
    assert loss_of(model, torch.randn(50, 2)).item() == 0.0


def test_the_loss_is_the_mean_over_examples_of_squares_summed_over_values() -> None:
    model, x = dense(6, 2), torch.randn(7, 6)
    there = model.decode(model.encode(x).mean)
    torch.testing.assert_close(loss_of(model, x), (there - x).square().sum(1).mean())
    torch.testing.assert_close(loss_of(model, x), 6 * nn.functional.mse_loss(there, x))


@pytest.mark.parametrize("tied", [False, True])
def test_a_linear_autoencoder_finds_the_principal_axes(tied: bool) -> None:
    x = (
        torch.randn(300, 5)
        @ torch.diag(torch.tensor([3.0, 2.0, 1.2, 0.6, 0.3]))
        @ torch.randn(5, 5)
    )
    networks = dense_networks((5,), 2, hidden=(), tied=tied)
    model = minimise(AE(*networks, event_shape=(5,), latent=2), x)
    axes = PrincipalAxes.of(x, 5)
    corners = model.decode(torch.cat((torch.zeros(1, 2), torch.eye(2)))).detach()
    angles = principal_angles(axes.axes[:2], corners[1:] - corners[0])
    assert float(angles.max()) < 1e-3
    torch.testing.assert_close(loss_of(model, x), axes.variances[2:].sum(), rtol=1e-6, atol=0)


def test_draws_decode_draws_of_the_gaussian_of_the_codes() -> None:
    law, z = CodeLaw(3), torch.randn(400, 3) @ torch.randn(3, 3) + 2
    for part in z.split(100):  # The first batches count alike.
        law.follow(part)
    torch.testing.assert_close(law.mean, z.mean(0))
    torch.testing.assert_close(law.covariance, torch.cov(z.T, correction=0))
    torch.testing.assert_close(law().covariance_matrix, law.covariance, rtol=1e-3, atol=1e-4)
    model = dense(2, 3)
    drawn = torch.randn(5, 3)
    assert torch.equal(model.sample(5, given={"z": drawn}), model.decode(drawn))


def test_codes_of_one_value_have_a_law() -> None:
    law = CodeLaw(2)
    law.follow(torch.zeros(10, 2))
    assert law().sample((4,)).abs().max() < 1e-4


def test_only_training_moves_the_law() -> None:
    model, x = dense(2, 1), torch.randn(20, 2)
    before = copy.deepcopy(model.state_dict())
    loss_of(model.eval(), x)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    loss_of(model.train(), x)
    assert not torch.equal(
        before["p.conditionals.0.mean"], model.state_dict()["p.conditionals.0.mean"]
    )


def test_draws_around_codes_are_near_reconstructions() -> None:
    model, x = (
        minimise(dense(3, 2), torch.randn(40, 3), steps=5).requires_grad_(False),
        torch.randn(40, 3),
    )
    codes = model.encode(x).mean
    there = model.decode(codes)
    copies = model.decode(Empirical((2,)).fit(codes).sample(30))
    assert float(torch.cdist(copies, there).min(dim=1).values.max()) < 1e-6
    beside = model.decode(KDE(2, bandwidth=0.1).fit(codes).sample(30).to(codes.dtype))
    assert float(torch.cdist(beside, there).min(dim=1).values.min()) > 0


def test_the_penalties_are_added_and_told() -> None:
    x = torch.randn(9, 4)
    for penalty in (Sparsity(weight=0.3), Contraction(weight=0.3)):
        torch.manual_seed(1)
        model = dense(4, 3, penalty=penalty)
        torch.manual_seed(1)
        plain = dense(4, 3)
        (player,) = model.players()
        with torch.no_grad():  # As in validation.
            found = player.loss(Batch(x), None)
        assert not found.total.requires_grad
        parts = found.metrics["squared_error"] + found.metrics["penalty"]
        torch.testing.assert_close(found.total / 9, parts)
        torch.testing.assert_close(found.metrics["squared_error"], loss_of(plain, x).detach())


def test_a_heavier_penalty_makes_sparser_codes() -> None:
    x, sizes = torch.randn(60, 3), []
    for weight in (0.0, 0.1, 1.0):
        torch.manual_seed(0)
        model = minimise(dense(3, 6, penalty=Sparsity(weight=weight)), x, steps=10)
        sizes.append(float(model.encode(x).mean.abs().sum(1).mean().detach()))
    assert sizes[0] > sizes[1] > sizes[2]


def test_a_heavier_penalty_makes_the_encoder_contract() -> None:
    x, ratios = torch.randn(60, 2), []
    for weight in (0.0, 0.1, 1.0):
        torch.manual_seed(0)
        model = minimise(dense(2, 2, penalty=Contraction(weight=weight)), x, steps=10)
        near = x + 1e-4 * torch.nn.functional.normalize(torch.randn_like(x), dim=1)
        with torch.no_grad():
            moved = (model.encode(near).mean - model.encode(x).mean).norm(dim=1)
        ratio = moved / (near - x).norm(dim=1)
        # With one kink of a ReLU between them, at most, J changes once from x to the other end.
        ends = torch.stack([norms(model, x), norms(model, near)]).amax(0)
        assert bool((ratio <= ends + 1e-6).all())
        ratios.append(float(ratio.mean()))
    assert ratios[0] > ratios[1] > ratios[2]


def test_a_hard_code_has_few_numbers() -> None:
    encoder, decoder = dense_networks((3,), 8, hidden=(16,))
    model = AE(nn.Sequential(encoder, KeepLargest(2)), decoder, event_shape=(3,), latent=8)
    assert int((model.encode(torch.randn(50, 3)).mean != 0).sum(dim=1).max()) == 2
