import pytest
import torch

from ancestral.adversarial import Augmentation, augment


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("policy", ["shift", "shift-cut", "colour-shift-cut"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_their_shape_and_pass_gradients(policy: Augmentation, channels: int) -> None:
    x = torch.rand(64, channels, 12, 16, dtype=torch.float64, requires_grad=True)
    y = augment(x, policy, noise())
    assert y.shape == x.shape
    assert torch.equal(y, augment(x, policy, noise()))
    (slope,) = torch.autograd.grad(y.square().sum(), x)
    assert (slope.flatten(1).abs().sum(1) > 0).all()


def test_none_changes_nothing() -> None:
    x = torch.rand(2, 3)
    assert augment(x, "none") is x


def test_a_shift_moves_each_image_whole() -> None:
    x = torch.zeros(500, 1, 16, 16)
    x[:, :, 8, 8] = 1
    y = augment(x, "shift", noise())
    rows, columns = y[:, 0].flatten(1).argmax(1) // 16, y[:, 0].flatten(1).argmax(1) % 16
    assert torch.equal(y.sum((1, 2, 3)), torch.ones(500))
    # An eighth of the side each way, and every place is reached.
    assert rows.unique().tolist() == columns.unique().tolist() == [6, 7, 8, 9, 10]
    assert not torch.equal(rows, columns)


def test_a_cut_takes_a_quarter_away_from_the_middle_and_less_at_the_border() -> None:
    y = augment(torch.ones(500, 1, 8, 8), "shift-cut", noise())
    kept = y.sum((1, 2, 3))
    assert (kept >= 7 * 7 - 16).all()
    assert (kept < 64).any()


def test_colour_changes_each_image_by_numbers_of_its_own() -> None:
    x = torch.rand(3, 3, 8, 8)
    y = augment(x.expand(3, 3, 8, 8), "colour-shift-cut", noise())
    assert not torch.allclose(y[0], y[1])


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="augment must be one of"):
        augment(torch.zeros(2, 1, 8, 8), "flip")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="augment must be none but for images"):
        augment(torch.zeros(2, 3), "shift")
