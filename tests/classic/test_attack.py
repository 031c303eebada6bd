import pytest
import torch
from torch import Generator, Tensor

from ancestral.classic import (
    Classifier,
    DiagonalGaussians,
    LogisticRegression,
    NaiveBayes,
    fast_gradient_sign,
)
from ancestral.training import Options
from ancestral.training.game import Game


def blobs(n: int = 400, seed: int = 0, features: int = 6) -> tuple[Tensor, Tensor]:
    """Two round clusters, 2 apart in each column."""
    label = torch.arange(n) % 2
    noise = torch.randn(n, features, generator=Generator().manual_seed(seed)).double()
    return noise + 2 * label[:, None], label


def taught() -> Classifier:
    from ancestral.capabilities import Batch

    torch.manual_seed(0)
    model, (x, label) = Classifier((6,), 2, hidden=(16,)), blobs()
    game = Game(model.players(), Options(learning_rate=1e-2), seed=0)
    for step in range(60):
        game.step([Batch(x.float(), {"label": label})], number=step + 1, progress=step / 60)
    return model.eval()


def test_the_linear_case_is_the_closed_form() -> None:
    """Of two classes by linear logits the loss falls in w_own - w_other: its signs are the step."""
    x, label = blobs()
    model = LogisticRegression(6, 2).fit(x, given={"label": label})
    found = fast_gradient_sign(model, x, label, epsilon=0.3)
    slope = torch.autograd.functional.jacobian(
        lambda y: model.posterior(y).logits[:, 1] - model.posterior(y).logits[:, 0], x[:1]
    )[0, 0]
    own = (2 * label - 1)[:, None]
    torch.testing.assert_close(found, x - 0.3 * own * slope.sign())
    # No corner of the ball raises the loss more: all 64 of them are tried.
    corners = torch.cartesian_prod(*[torch.tensor([-0.3, 0.3]).double()] * 6)
    worst = -model.posterior(found[:1]).log_prob(label[:1])
    each = -model.posterior(x[:1] + corners).log_prob(label[:1].expand(64))
    torch.testing.assert_close(worst[0], each.max())


@pytest.mark.parametrize("kind", ["network", "generative"])
def test_the_loss_grows_within_the_ball(kind: str) -> None:
    x, label = blobs()
    if kind == "network":
        model, x = taught(), x.float()
    else:
        model = NaiveBayes(DiagonalGaussians(2, 6)).fit(x, given={"label": label})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses, rights = [], []
    for epsilon in (0.0, 0.1, 0.5, 1.0):
        moved = fast_gradient_sign(model, x, label, epsilon=epsilon)
        assert (moved - x).abs().max() <= epsilon + 1e-6
        answer = model.posterior(moved)
        losses.append(-answer.log_prob(label).mean().item())
        rights.append((answer.logits.argmax(dim=1) == label).double().mean().item())
    assert losses == sorted(losses)
    assert losses[-1] > losses[0] + 0.5
    assert rights[0] > 0.97
    assert rights[-1] < 0.8
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_values_stay_within_their_range() -> None:
    x, label = blobs()
    model = NaiveBayes(DiagonalGaussians(2, 6)).fit(x, given={"label": label})
    inside = x.clamp(-1, 3)
    moved = fast_gradient_sign(model, inside, label, epsilon=0.5, low=-1.0, high=3.0)
    assert moved.min() >= -1
    assert moved.max() <= 3
    with pytest.raises(ValueError, match="epsilon must be at least 0, got -1"):
        fast_gradient_sign(model, x, label, epsilon=-1)
    with pytest.raises(ValueError, match=r"x must be floating-point numbers, got torch\.int64"):
        fast_gradient_sign(model, x.long(), label, epsilon=1)
