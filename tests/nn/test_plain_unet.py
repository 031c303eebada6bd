import pytest
import torch
from torch import Tensor, nn

from ancestral.nn.plain_unet import PlainUNet

WIDTHS = (4, 8, 12)


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def book(channels: int, outputs: int, base: int, levels: int) -> nn.ModuleDict:
    """The modules of the book's listing, in the order of the network's parameters."""

    def block(before: int, after: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)]

    widths = [base * 2**i for i in range(levels + 1)]
    down = [m for a, b in zip([channels, *widths], widths, strict=False) for m in block(a, b)]
    double = [nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[:-1]]
    up = [m for w in widths[:-1] for m in block(2 * w, w)]
    out = [nn.Conv2d(base, outputs, 1)]
    parts = {"down": down, "doubling": double, "up": up, "out": out}
    return nn.ModuleDict({name: nn.ModuleList(part) for name, part in parts.items()})


def by_the_book(modules: nn.ModuleDict, x: Tensor) -> Tensor:
    """The forward pass of the listing."""

    def block(name: str, level: int, x: Tensor) -> Tensor:
        return modules[name][2 * level + 1](modules[name][2 * level](x).relu()).relu()

    levels, skips = len(modules["doubling"]), []
    for level in range(levels):
        skips.append(block("down", level, x))
        x = nn.functional.max_pool2d(skips[-1], 2)
    x = block("down", levels, x)
    for level in reversed(range(levels)):
        x = block("up", level, torch.cat((modules["doubling"][level](x), skips[level]), dim=1))
    return modules["out"][0](x)


def test_the_default_network_is_the_books() -> None:
    with torch.device("meta"):
        network = PlainUNet(3, outputs=3)
        peer = book(3, 3, base=64, levels=4)
    assert sum(parameter.numel() for parameter in network.parameters()) == 31_031_875
    assert [p.shape for p in network.parameters()] == [p.shape for p in peer.parameters()]
    assert network(torch.empty(2, 3, 256, 256, device="meta")).shape == (2, 3, 256, 256)


@pytest.mark.parametrize("levels", [1, 3])
def test_values_are_those_of_the_listing(levels: int) -> None:
    network = PlainUNet(3, outputs=2, widths=[4 * 2**i for i in range(levels + 1)]).double()
    peer, x = book(3, 2, base=4, levels=levels).double(), images(2, 3, 16, 24)
    for mine, theirs in zip(network.parameters(), peer.parameters(), strict=True):
        theirs.data.copy_(mine)
    torch.testing.assert_close(network(x), by_the_book(peer, x))


def test_the_resolutions_are_halves_and_back() -> None:
    network, shapes = PlainUNet(1, outputs=2, widths=(64, 128, 256)), []
    for level in [*network.down, *reversed(network.up)]:
        level.register_forward_hook(lambda _m, _i, y: shapes.append(tuple(y.shape[1:])))
    network(torch.zeros(1, 1, 32, 16))
    sides = [(64, 32, 16), (128, 16, 8), (256, 8, 4)]
    assert shapes == [*sides, *sides[1::-1]]


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("size", [(7, 13), (1, 1), (16, 3)])
def test_images_of_any_size_pass(norm: str, upsampling: str, size: tuple[int, int]) -> None:
    network = PlainUNet(3, outputs=2, widths=WIDTHS, norm=norm, upsampling=upsampling).double()
    y = network(images(2, 3, *size))
    assert y.shape == (2, 2, *size)
    y.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_a_border_continues_the_image() -> None:
    network, x = PlainUNet(1, outputs=1, widths=(4, 8)).double(), images(1, 1, 7, 7)
    wider = nn.functional.pad(x, (0, 1, 0, 1), mode="replicate")
    torch.testing.assert_close(network(x), network(wider)[..., :7, :7])


def test_every_skip_is_used() -> None:
    network, x = PlainUNet(1, outputs=1, widths=WIDTHS).double(), images(1, 1, 16, 16)
    whole = network(x)
    for level in network.down[:-1]:
        handle = level.register_forward_hook(lambda _m, _i, y: y.detach() * 0)
        assert not torch.allclose(network(x), whole)
        handle.remove()


def test_attention_starts_as_the_plain_network() -> None:
    attentive = PlainUNet(1, outputs=1, widths=WIDTHS, attention=(1, 2)).double()
    plain, x = PlainUNet(1, outputs=1, widths=WIDTHS).double(), images(1, 1, 16, 16)
    lost = plain.load_state_dict(attentive.state_dict(), strict=False)
    assert not lost.missing_keys
    assert len(lost.unexpected_keys) > 0
    torch.testing.assert_close(attentive(x), plain(x), atol=1e-13, rtol=0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"widths": ()}, "widths must be one or more"),
        ({"outputs": 0}, "channels and outputs must be at least 1, got 1 and 0"),
        ({"attention": (5,)}, "attention must lie between 0 and 4"),
        ({"norm": "layer"}, "norm must be 'none', 'batch' or 'group', got 'layer'"),
        ({"upsampling": "book"}, "upsampling must be 'transposed' or 'resize', got 'book'"),
    ],
)
def test_what_cannot_be_built_is_refused(how: dict[str, object], message: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        PlainUNet(1, **{"outputs": 1, **how})
