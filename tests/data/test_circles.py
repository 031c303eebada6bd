import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Independent, Uniform

from ancestral.data import intrinsic_dimension, locate_circles, render_circles
from ancestral.networks import BayesianNetwork, Deterministic, Node


class Prior(torch.nn.Module):
    """p(z): circles that lie inside an image of 64 pixels."""

    def forward(self) -> Independent:
        low, high = torch.tensor([2.0, 20.0, 20.0]), torch.tensor([18.0, 44.0, 44.0])
        return Independent(Uniform(low, high), 1)


def world() -> BayesianNetwork:
    def render(z: Tensor) -> Tensor:
        return render_circles(z, side=64)

    prior = Node("z", Prior(), event_shape=(3,))
    return BayesianNetwork([prior, Node("x", Deterministic(render), ("z",), (1, 64, 64))])


def test_a_pixel_is_black_exactly_inside() -> None:
    # GP-12.
    z = torch.tensor([[5.0, 7.0, 3.0], [0.0, 2.0, 2.0], [2.5, 0.5, 11.0]], dtype=torch.float64)
    x = render_circles(z, side=12)
    for (r, h, k), image in zip(z.tolist(), x[:, 0], strict=True):
        for i in range(12):
            for j in range(12):
                assert image[i, j].item() == float((i - k) ** 2 + (j - h) ** 2 > r**2)


def test_the_books_images_have_65536_numbers() -> None:
    assert render_circles(torch.tensor([30.0, 100.0, 80.0])).numel() == 256 * 256 == 65_536


@settings(max_examples=60, deadline=None)
@given(
    radius=st.floats(0.8, 100),
    across=st.floats(0, 1),
    down=st.floats(0, 1),
)
def test_the_way_back_is_right_within_a_pixel(radius: float, across: float, down: float) -> None:
    room = 255 - 2 * radius
    centre = (radius + across * room, radius + down * room)
    z = torch.tensor([radius, *centre], dtype=torch.float64)
    assert (locate_circles(render_circles(z)) - z).abs().max() <= 1


def test_the_network_is_a_latent_variable_model_on_a_manifold(generator: torch.Generator) -> None:
    draws = world().sample(1500, generator=generator)
    assert draws["x"].shape == (1500, 1, 64, 64)
    assert (locate_circles(draws["x"]) - draws["z"]).abs().max() <= 1
    # Three latents; the deviation of the estimate is 3 / sqrt(1500 * 9) = 0.03, steps of whole
    # pixels and the edges of the latents' box move it by some tenths.
    assert intrinsic_dimension(locate_circles(draws["x"])) == pytest.approx(3, abs=0.5)


def test_an_empty_image_has_radius_zero_and_shapes_are_refused() -> None:
    assert locate_circles(torch.ones(2, 1, 8, 8)).tolist() == [[0.0, 0.0, 0.0]] * 2
    with pytest.raises(ValueError, match="radius, column and row, got shape"):
        render_circles(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="side must be at least 1, got 0"):
        render_circles(torch.zeros(4, 3), side=0)
    with pytest.raises(ValueError, match=r"\[\*B, 1, S, S\], got \[2, 3, 8, 8\]"):
        locate_circles(torch.ones(2, 3, 8, 8))
