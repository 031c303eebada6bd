import pytest
import torch
from torch import Tensor

from ancestral.data.canvas import OUTSIDE
from ancestral.segmentation import cross_entropy, dice, focal

WEIGHTS = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    mask = torch.randint(3, (2, 4, 5), generator=generator).byte()
    mask[0, :, 3:] = OUTSIDE
    return logits, mask


def pixels() -> list[tuple[Tensor, int]]:
    """Return log p of the classes, and the true one, of each pixel inside."""
    logits, mask = pair()
    rows, classes = logits.log_softmax(1).movedim(1, -1).reshape(-1, 3), mask.flatten().tolist()
    return [(row, k) for row, k in zip(rows, classes, strict=True) if k != OUTSIDE]


def test_the_cross_entropy_is_minus_the_log_probability_of_the_pixels() -> None:
    found = cross_entropy(*pair())
    assert found.weight == 32
    assert found.total.item() == pytest.approx(-sum(float(row[k]) for row, k in pixels()))
    found = cross_entropy(*pair(), weights=WEIGHTS)
    assert found.weight == sum(float(WEIGHTS[k]) for _, k in pixels())
    wanted = -sum(float(WEIGHTS[k] * row[k]) for row, k in pixels())
    assert found.total.item() == pytest.approx(wanted)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_focal_loss_forgives_what_is_right(weights: Tensor | None) -> None:
    plain = focal(*pair(), weights=weights, focus=0.0)
    entropy = cross_entropy(*pair(), weights=weights)
    torch.testing.assert_close(plain.total, entropy.total)
    assert plain.weight == entropy.weight
    w = torch.ones(3) if weights is None else weights
    wanted = -sum(float(w[k] * (1 - row[k].exp()) ** 2 * row[k]) for row, k in pixels())
    assert focal(*pair(), weights=weights).total.item() == pytest.approx(wanted)


def test_dice_of_each_image() -> None:
    logits, mask = pair()
    total = torch.zeros((), dtype=torch.float64)
    for i in range(2):
        inside = mask[i] != OUTSIDE
        for k in range(3):
            p, t = logits.softmax(1)[i, k][inside], (mask[i] == k)[inside].double()
            coefficient = (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
            total += WEIGHTS[k] / WEIGHTS.sum() * (1 - coefficient)
    found = dice(logits, mask, weights=WEIGHTS)
    torch.testing.assert_close(found.total, total)
    assert found.weight == 2


@pytest.mark.parametrize("loss", [cross_entropy, focal, dice])
def test_gradients_are_finite_where_the_answer_is_certain(loss: object) -> None:
    _, mask = pair()
    certain = 1e4 * torch.nn.functional.one_hot(mask.long() % 3, 3).movedim(-1, 1).double()
    for x in (certain, -certain):
        x = x.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x, mask).total, x)
        assert gradient.isfinite().all()
        assert not gradient.movedim(1, -1)[mask == OUTSIDE].any()
