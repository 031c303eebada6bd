import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial import CycleGAN, PatchCritic, View
from ancestral.capabilities import Batch, Restores
from ancestral.data.crops import Crops
from ancestral.nn import Translator


class Times(nn.Module):
    """What a tanh brings to so many times the image; its number is a parameter."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        return torch.atanh(self.factor * x)


class Mean(nn.Module):
    """Judges an image by its mean level, as one patch."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(0.1))

    def forward(self, x: Tensor) -> Tensor:
        return (x.mean(dim=(1, 2, 3)) + self.bias)[:, None, None]


def batch(n: int = 4) -> Batch:
    generator = Generator().manual_seed(1)
    image = torch.randint(256, (n, 1, 6, 6), generator=generator, dtype=torch.uint8)
    return Batch(1.6 * torch.rand(n, 1, 6, 6, generator=generator) - 0.8, {"image": image})


def scaling(**weights: float) -> CycleGAN:
    """To half an image and back to 1.5 times it: there and back it is 0.75 of it."""
    view = View(channels=(1, 1))
    return CycleGAN(Times(0.5), Times(1.5), (Mean(), Mean()), view=view, **weights)


def test_the_generators_lower_both_games_the_way_back_and_the_identity() -> None:
    one = batch()
    # Levels that 1.5 times them stay within (-1, 1).
    a, b = (one.given["image"].float() / 127.5 - 1) / 2, one.x / 2
    given = Batch(b, {"image": (a + 1) * 127.5})

    def size(x: Tensor) -> Tensor:
        return x.abs().mean(dim=(1, 2, 3)).sum()

    game = 0.5 * ((0.5 * a).mean((1, 2, 3)) + 0.1 - 1).square().sum()
    game = game + 0.5 * ((1.5 * b).mean((1, 2, 3)) + 0.1 - 1).square().sum()
    cycle, identity = 0.25 * (size(a) + size(b)), 0.5 * (size(b) + size(a))
    for weights in ((0.0, 0.0), (10.0, 0.0), (0.0, 5.0), (10.0, 5.0)):
        model = scaling(cycle=weights[0], identity=weights[1])
        critic_b, critic_a, generators = model.players()
        expected = game + weights[0] * cycle + weights[1] * identity
        torch.testing.assert_close(generators.loss(given, None).total, expected)
        torch.testing.assert_close(
            critic_b.loss(given, None).total,
            (
                0.5 * (b.mean((1, 2, 3)) - 0.9).square()
                + 0.5 * ((0.5 * a).mean((1, 2, 3)) + 0.1).square()
            ).sum(),
        )
        torch.testing.assert_close(
            critic_a.loss(given, None).total,
            (
                0.5 * (a.mean((1, 2, 3)) - 0.9).square()
                + 0.5 * ((1.5 * b).mean((1, 2, 3)) + 0.1).square()
            ).sum(),
        )


def test_both_directions_and_the_way_back() -> None:
    model, one = scaling(), batch()
    given = {"image": one.given["image"] // 4 + 96}
    a = given["image"].float() / 127.5 - 1
    there = model.sample(4, given=given)
    torch.testing.assert_close(there, 0.5 * a)
    torch.testing.assert_close(model.sample(4, given=given, direction="b-to-a"), 1.5 * a)
    assert isinstance(model, Restores)
    torch.testing.assert_close(model.restore(there), (0.75 * a + 1) * 127.5)


def test_the_graph_is_two_networks() -> None:
    graph = scaling().graph
    assert graph["p"].edges == (("image", "x"),)
    assert graph["q"].edges == (("x", "image"),)


def test_every_parameter_gets_a_gradient_from_its_own_player() -> None:
    torch.manual_seed(0)
    there, back = (Translator(1, outputs=1, widths=(4, 8), blocks=1) for _ in range(2))
    critics = PatchCritic(1, width=4, halvings=1), PatchCritic(1, width=4, halvings=1)
    view = View(channels=(1, 1), crops=Crops(side=8))
    model = CycleGAN(there, back, critics, view=view)
    image = torch.randint(256, (3, 1, 12, 10), dtype=torch.uint8)
    one = Batch(torch.rand(3, 1, 12, 10), {"image": image})
    owned = [parameter for player in model.players() for parameter in player.module.parameters()]
    assert {*owned} == {*model.parameters()}
    for player in model.players():
        total = player.loss(one, Generator().manual_seed(0)).total
        for gradient in torch.autograd.grad(
            total, [*player.module.parameters()], allow_unused=False
        ):
            assert gradient.isfinite().all()


def test_weights_below_0_are_refused() -> None:
    with pytest.raises(ValueError, match="cycle must be at least 0, got -1"):
        scaling(cycle=-1)
