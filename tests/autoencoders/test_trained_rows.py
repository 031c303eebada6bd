"""Rows of the book that are about autoencoders after training."""

import pytest
import torch
from sklearn.datasets import load_digits
from tests.contracts.models import train
from torch import Generator, Tensor

from ancestral.autoencoders import AE, dense_networks
from ancestral.capabilities import Batch
from ancestral.data import load, locate_circles, render_circles
from ancestral.data.dataset import Examples
from ancestral.data.transforms import Flatten
from ancestral.networks.latent import difference, interpolate, reconstruct, shifted
from ancestral.networks.units import InDataUnits

SIDE = 16


def trained(x: Tensor, latent: int, hidden: tuple[int, ...], steps: int) -> AE:
    torch.manual_seed(0)
    shape = tuple(x.shape[1:])
    model = AE(*dense_networks(shape, latent, hidden=hidden), event_shape=shape, latent=latent)
    train(model.players(), Batch(x), steps=steps, learning_rate=3e-3)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def roll() -> tuple[AE, Tensor, Tensor]:
    """The book's autoencoder of the swiss roll, 2 numbers to 16, and two parts of the data."""
    x = load("swiss-roll").train.x[:6_000]
    x = ((x - x.mean(0)) / x.std(0)).float()
    return trained(x[:4_000], 16, (128, 64, 32), 500), x[4_000:5_000], x[5_000:]


def energy_distance(x: Tensor, y: Tensor) -> float:
    """``2 E|x - y| - E|x - x'| - E|y - y'|``, 0 of one law."""

    def within(a: Tensor) -> Tensor:
        return torch.cdist(a, a).sum() / (len(a) * (len(a) - 1))

    return (2 * torch.cdist(x, y).mean() - within(x) - within(y)).item()


def to_data(path: Tensor, x: Tensor) -> Tensor:
    return torch.cdist(path, x).min(dim=1).values


def test_decoded_normal_noise_is_far_from_the_data_where_reconstructions_are_near(
    roll: tuple[AE, Tensor, Tensor],
) -> None:
    # AE-09.
    model, x, other = roll
    noise = torch.randn(1_000, 16, generator=Generator().manual_seed(0))
    again = energy_distance(model.decode(model.encode(x).mean), other)
    made = energy_distance(model.decode(noise), other)
    assert abs(again) < 0.01
    assert made > 0.1


def test_a_walk_goes_from_reconstruction_to_reconstruction_and_leaves_the_data(
    roll: tuple[AE, Tensor, Tensor],
) -> None:
    # AE-11: 500 steps, from the inner end of the roll to the outer one.
    model, x, other = roll
    ends = x[torch.stack([x.norm(dim=1).argmin(), x.norm(dim=1).argmax()])]
    z = model.encode(ends).mean
    path = model.decode(interpolate(z[0], z[1], 500))
    torch.testing.assert_close(path[[0, -1]], model.decode(z))
    assert to_data(path, other).max() > 5 * to_data(x, other).mean()


def test_a_neighbour_in_the_codes_is_one_in_the_data() -> None:
    # AE-04: codes of 8 numbers in place of 64, by which images are looked up.
    x = torch.tensor(load_digits().images, dtype=torch.float32)[:, None] / 16
    model = trained(x[:1_200], 8, (64,), 300)
    kept, asked = x[:1_200], x[1_200:1_500]
    codes = model.encode(kept).mean
    assert codes.shape == (1_200, 8)
    nearest = torch.cdist(asked.flatten(1), kept.flatten(1)).argmin(dim=1)
    found = torch.cdist(model.encode(asked).mean, codes).topk(10, largest=False).indices
    share = (found == nearest[:, None]).any(dim=1).float().mean().item()
    # Ten of 1,200 drawn blindly hold it with a probability of 1 in 120.
    assert share > 10 * 10 / 1_200


def circles(n: int, seed: int) -> Tensor:
    """Images of circles of radius 2 to 5, the centre 5 to 10 pixels from two edges."""
    z = torch.rand(n, 3, generator=Generator().manual_seed(seed))
    z = z * torch.tensor([3.0, 5.0, 5.0]) + torch.tensor([2.0, 5.0, 5.0])
    return render_circles(z, side=SIDE)


def test_an_attribute_grows_with_its_strength_and_the_others_stay() -> None:
    # PN-33 and GP-14: the attribute is a large radius, read by the renderer's way back.
    x = circles(3_000, 0)
    model = InDataUnits(trained(x.flatten(1), 8, (128,), 600), Flatten((1, SIDE, SIDE)))
    large = locate_circles(x)[:, 0] > 3.5
    direction = difference(model, Examples(x[large]), Examples(x[~large]))
    # From the middle of the range of radii, so that both ways are within the data.
    some = render_circles(torch.tensor([[3.5, 7.0, 7.0], [3.5, 9.0, 6.0]]), side=SIDE)
    for image in some.split(1):
        strengths = [-0.8, -0.4, 0.0, 0.4, 0.8]
        moved = shifted(model, Examples(image), direction, strengths)
        torch.testing.assert_close(moved[2:3], reconstruct(model, Examples(image)))
        radius, column, row = locate_circles(moved).T
        assert (radius.diff() > 0).all()
        assert radius[-1] - radius[0] > 1
        for place in (column, row):  # Within a pixel.
            assert (place - place[2]).abs().max() < 1
