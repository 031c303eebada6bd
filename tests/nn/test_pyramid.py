import pytest
import torch

from ancestral.nn.pyramid import ConvDecoder, ConvEncoder, Upsampling, halvings

UPSAMPLINGS: tuple[Upsampling, ...] = ("transposed", "resize", "book")


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize(
    ("size", "widths"), [(8, (4,)), (12, (4, 8)), (32, (2, 4, 8)), (25, (4, 8)), (5, (4,))]
)
def test_shapes_and_gradients(upsampling: Upsampling, size: int, widths: tuple[int, ...]) -> None:
    encoder = ConvEncoder(3, 6, size=size, widths=widths, classes=2)
    decoder = ConvDecoder(6, 3, size=size, widths=widths[::-1], classes=2, upsampling=upsampling)
    label = torch.tensor([0, 1])
    code = encoder(torch.rand(2, 3, size, size), label)
    image = decoder(code, label)
    assert code.shape == (2, 6)
    assert image.shape == (2, 3, size, size)

    image.square().sum().backward()
    for module in (encoder, decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_an_image_lies_in_the_middle_of_its_border() -> None:
    encoder = ConvEncoder(1, 2, size=25, widths=(2, 4))
    inside = ConvEncoder(1, 2, size=28, widths=(2, 4))
    inside.load_state_dict(encoder.state_dict())
    x = torch.rand(3, 1, 25, 25)
    padded = torch.zeros(3, 1, 28, 28)
    padded[..., 1:26, 1:26] = x
    torch.testing.assert_close(encoder(x), inside(padded))
    decoder = ConvDecoder(2, 1, size=25, widths=(4, 2))
    wide = ConvDecoder(2, 1, size=28, widths=(4, 2))
    wide.load_state_dict(decoder.state_dict())
    z = torch.randn(3, 2)
    torch.testing.assert_close(decoder(z), wide(z)[..., 1:26, 1:26])


def test_leading_axes_of_codes_are_kept() -> None:
    decoder = ConvDecoder(3, 1, size=8, widths=(4,), classes=2)
    z, label = torch.randn(5, 2, 3), torch.tensor([[0, 1]]).expand(5, 2)
    image = decoder(z, label)
    assert image.shape == (5, 2, 1, 8, 8)
    torch.testing.assert_close(image[3], decoder(z[3], label[3]))
    assert decoder(z[0, 0], label[0, 0]).shape == (1, 8, 8)


def ones_through(decoder: ConvDecoder) -> torch.Tensor:
    """The image of a constant code under constant kernels, borders cut off."""
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.fill_(1.0)
        return decoder(torch.ones(1, 1))[0, 0, 4:-4, 4:-4]


def test_only_the_book_decoder_draws_a_checkerboard() -> None:
    # Under constant kernels every output pixel should sum equally many taps.
    for upsampling in UPSAMPLINGS:
        image = ones_through(ConvDecoder(1, 1, size=32, widths=(1,), upsampling=upsampling))
        even = bool((image == image[0, 0]).all())
        assert even == (upsampling != "book"), upsampling


@pytest.mark.parametrize(("size", "count"), [(8, 1), (12, 1), (16, 2), (28, 2), (32, 3), (64, 4)])
def test_halvings_end_at_a_small_side(size: int, count: int) -> None:
    assert halvings(size) == count


def test_wrong_sizes_are_refused() -> None:
    for size, widths in ((0, (1,)), (8, ())):
        with pytest.raises(ValueError, match="size must be at least 1, with a width or more"):
            ConvEncoder(1, 2, size=size, widths=widths)
        with pytest.raises(ValueError, match=f"got {size}"):
            ConvDecoder(2, 1, size=size, widths=widths)
    with pytest.raises(ValueError, match="decoder must be"):
        ConvDecoder(2, 1, size=8, widths=(1,), upsampling="nearest")  # pyright: ignore
    with pytest.raises(ValueError, match="label of 3 classes"):
        ConvDecoder(2, 1, size=8, widths=(1,), classes=3)(torch.zeros(1, 2))
