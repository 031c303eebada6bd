import pytest
import torch
from torch import Tensor

from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.losses import critic_loss, non_saturating_loss, saturating_loss
from ancestral.adversarial.rules import GameRules
from ancestral.capabilities import Batch

WEIGHT = torch.tensor([1.0, -2.0], dtype=torch.float64)


def zeros(batch: Batch, generator: torch.Generator | None) -> Tensor:
    """Generated examples that are all 0, so that a turn is a closed form."""
    return torch.zeros_like(batch.x)


def linear(batch: Batch) -> Tensor:
    return batch.x @ WEIGHT + 1


def test_critic_turn_is_the_cross_entropy_plus_the_penalty() -> None:
    x = torch.randn(8, 2, dtype=torch.float64)
    loss = AdversarialGame(generate=zeros, judge=linear, rules=GameRules(penalty=3.0)).critic_turn(
        Batch(x), None
    )
    plain = critic_loss(linear(Batch(x)), torch.ones(8, dtype=torch.float64)).sum()
    torch.testing.assert_close(loss.total, plain + 8 * 3.0 * 0.5 * WEIGHT.square().sum())
    assert loss.weight == 8
    torch.testing.assert_close(loss.metrics["real"], linear(Batch(x)).sigmoid().mean())
    assert loss.metrics["fake"].item() == pytest.approx(0.7310586)


@pytest.mark.parametrize("penalty", [0.0, 3.0])
@pytest.mark.parametrize("turn", ["critic_turn", "generator_turn"])
def test_losses_are_sums_over_examples(penalty: float, turn: str) -> None:
    play = getattr(
        AdversarialGame(generate=zeros, judge=linear, rules=GameRules(penalty=penalty)), turn
    )
    x = torch.randn(1, 2, dtype=torch.float64).expand(8, 2)
    torch.testing.assert_close(play(Batch(x), None).total, 2 * play(Batch(x[:4]), None).total)


def test_generator_turn_lowers_the_chosen_loss() -> None:
    batch, one = Batch(torch.randn(5, 2, dtype=torch.float64)), torch.ones(5, dtype=torch.float64)
    for name, function in (
        ("saturating", saturating_loss),
        ("non-saturating", non_saturating_loss),
    ):
        loss = AdversarialGame(
            generate=zeros, judge=linear, rules=GameRules(loss=name, penalty=0)
        ).generator_turn(batch, None)
        torch.testing.assert_close(loss.total, function(one).sum())


def test_the_critic_of_a_conditional_game_sees_each_example_with_its_own_label() -> None:
    # The critic's logit is 1 only where x is its label: real pairs match, generated ones do not.
    def judge(batch: Batch) -> Tensor:
        return (batch.x[:, 0] == batch.given["label"]).to(torch.float64)

    def generate(batch: Batch, generator: torch.Generator | None) -> Tensor:
        return batch.x + 1

    label = torch.arange(6)
    game = AdversarialGame(generate=generate, judge=judge, rules=GameRules(penalty=0))
    loss = game.critic_turn(Batch(label[:, None], {"label": label}), None)
    assert loss.metrics["real"].item() == pytest.approx(0.7310586)
    assert loss.metrics["fake"].item() == pytest.approx(0.5)


def test_penalty_of_a_batch_smaller_than_the_share_uses_one_example() -> None:
    x = torch.randn(1, 2, dtype=torch.float64)
    loss = AdversarialGame(generate=zeros, judge=linear, rules=GameRules(penalty=1.0)).critic_turn(
        Batch(x), None
    )
    assert loss.total.isfinite()
