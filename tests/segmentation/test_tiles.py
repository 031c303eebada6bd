import pytest
import torch
from torch import Tensor, nn

from ancestral.nn import PlainUNet
from ancestral.segmentation import tiled

SIZES = [(70, 50), (64, 200), (150, 131), (20, 33)]


def scene(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height)
    coarse = torch.randn(1, 1, height // 8 + 1, width // 8 + 1, generator=generator)
    return nn.functional.interpolate(coarse, size=(height, width), mode="bilinear").double()


@pytest.mark.parametrize("size", SIZES)
def test_what_looks_at_neighbours_alone_is_as_in_the_whole_image(size: tuple[int, int]) -> None:
    network = nn.Conv2d(1, 3, 9, padding=4).double()  # As far as a quarter of the overlap.
    image = scene(*size)
    found = tiled(network, image, tile=48, overlap=16)
    torch.testing.assert_close(found, network(image), rtol=1e-12, atol=1e-12)


def test_tiles_meet_the_same_pixels_in_halves() -> None:
    network = nn.Sequential(nn.MaxPool2d(16), nn.Upsample(scale_factor=16)).double()
    image = scene(160, 192)
    found = tiled(network, image, tile=64, overlap=16)
    torch.testing.assert_close(found, network(image))


def test_tiles_fade_into_each_other() -> None:
    count = iter(range(100))
    found = tiled(lambda x: torch.full_like(x, next(count)), scene(32, 80), tile=48, overlap=16)
    row = found[0, 0, 0]
    assert row[0] == 0
    assert row[-1] == 1
    steps = row.diff()
    assert (steps >= 0).all()
    assert steps.max() < 0.2  # No seam.


def test_a_u_net_in_tiles_is_that_of_the_whole_image_but_for_a_few_pixels() -> None:
    torch.manual_seed(0)
    network = PlainUNet(1, outputs=2, widths=(8, 16, 32), norm="batch").double()
    images = torch.cat([scene(64, 64), scene(72, 64)[..., :64, :]])
    for _ in range(20):
        network(images)
    network.eval()
    with torch.no_grad():
        image = scene(300, 230)
        whole, parts = network(image), tiled(network, image, tile=128, overlap=48)
    (whole, parts), seen = (y[0, 1] - y[0, 0] for y in (whole, parts)), slice(16, -16)
    edge = whole.median()  # Half of the pixels are of each class.
    assert ((whole > edge) == (parts > edge))[seen, seen].double().mean() > 0.99
    torch.testing.assert_close(parts, whole, rtol=0, atol=0.1 * float(whole.std()))


@pytest.mark.parametrize(("tile", "overlap"), [(50, 16), (48, 10), (48, 0), (32, 16)])
def test_tiles_that_do_not_fit_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="tile and overlap must be multiples of 16"):
        tiled(nn.Identity(), scene(64, 64), tile=tile, overlap=overlap)
