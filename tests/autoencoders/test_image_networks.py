import pytest
import torch
from torch import nn

from ancestral.autoencoders.image_networks import (
    Architecture,
    DiscretisedLogisticDecoder,
)


class Fixed(nn.Module):
    """A network whose output is a constant."""

    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.output.expand(len(z), *self.output.shape)


def architecture(**changes: object) -> Architecture:
    sizes = {
        "channels": 1,
        "size": 32,
        "classes": 10,
        "latent": 128,
        "width": 16,
        "decoder": "book",
    }
    return Architecture(**{**sizes, **changes})  # pyright: ignore


def test_the_books_sizes() -> None:
    sizes = architecture()
    counts = [
        sum(p.numel() for p in network.parameters())
        for network in (sizes.encoder_network(), sizes.decoder_network(1))
    ]
    assert counts == [287_136, 165_569]


def test_no_output_of_the_network_breaks_the_logistic() -> None:
    extremes = torch.tensor([-1e4, -10.0, 0.0, 10.0, 1e4])
    output = torch.cartesian_prod(extremes, extremes).T.reshape(2, 5, 5).clone().requires_grad_()
    decoder = DiscretisedLogisticDecoder(Fixed(output), levels=256)
    for level in (0.0, 51 / 255, 1.0):
        value = decoder(torch.zeros(1, 1)).log_prob(torch.full((1, 1, 5, 5), level))
        assert value.isfinite().all()
        (gradient,) = torch.autograd.grad(value.sum(), output)
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"classes": -1}, "classes must be at least 0, got -1"),
        ({"latent": 0}, "latent must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1, got 0"),
    ],
)
def test_wrong_sizes_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        architecture(**changes)
