import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.losses import (
    critic_loss,
    non_saturating_loss,
    relativistic_loss,
    saturating_loss,
)
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


def test_accuracy_is_the_share_of_pairs_that_are_told_apart() -> None:
    x = torch.tensor([[2.0], [0.0], [-1.0], [3.0]], dtype=torch.float64)
    game = AdversarialGame(generate=zeros, judge=lambda batch: batch.x[:, 0])
    loss = game.critic_turn(Batch(x), None)
    assert loss.metrics["accuracy"].item() == (2 + 0.5) / 4


def test_clipped_weights_are_within_their_bound_in_both_turns() -> None:
    critic, generator = nn.Linear(2, 1).double(), nn.Linear(2, 2).double()
    nn.init.constant_(critic.weight, 3.0)
    rules = GameRules(loss="wasserstein", regulariser="clip", penalty=0.1)
    game = AdversarialGame(generate=zeros, judge=lambda b: critic(b.x)[:, 0], rules=rules)
    for player in game.players(generator, critic):
        with torch.no_grad():
            critic.weight.fill_(3.0)
        loss = player.loss(Batch(torch.ones(4, 2, dtype=torch.float64)), None)
        assert torch.equal(critic.weight, torch.full_like(critic.weight, 0.1))
        bias = critic.bias.item()
        # The critic: f(0) - f(1); the generator, whose examples are all 0: -f(0).
        expected = -0.2 if player.name == "critic" else -bias
        assert loss.total.item() / loss.weight == pytest.approx(expected)


def test_wgan_gp_adds_its_penalty_to_the_distance() -> None:
    rules = GameRules(loss="wasserstein", regulariser="gradient", penalty=10.0)
    x = torch.randn(6, 2, dtype=torch.float64)
    loss = AdversarialGame(generate=zeros, judge=linear, rules=rules).critic_turn(Batch(x), None)
    excess = (WEIGHT.norm() - 1).square()
    torch.testing.assert_close(loss.total, (1 - linear(Batch(x))).sum() + 6 * 10 * excess)


def test_both_slopes_are_penalised_where_asked() -> None:
    rules = GameRules(loss="relativistic", regulariser="r1-r2", penalty=2.0)
    x = torch.randn(6, 2, dtype=torch.float64)
    loss = AdversarialGame(generate=zeros, judge=linear, rules=rules).critic_turn(Batch(x), None)
    pairs = relativistic_loss(linear(Batch(x)), linear(Batch(x)) * 0 + 1)
    torch.testing.assert_close(loss.total, pairs.sum() + 6 * 2.0 * WEIGHT.square().sum())


def test_the_generator_of_pairs_is_judged_beside_real_examples() -> None:
    rules = GameRules(loss="relativistic", penalty=0)
    x = torch.randn(6, 2, dtype=torch.float64)
    loss = AdversarialGame(generate=zeros, judge=linear, rules=rules).generator_turn(Batch(x), None)
    torch.testing.assert_close(loss.total, softplus(linear(Batch(x)) - 1).sum())


def test_both_kinds_of_images_are_augmented_before_they_are_judged() -> None:
    seen: list[Tensor] = []

    def judge(batch: Batch) -> Tensor:
        seen.append(batch.x)
        return batch.x.flatten(1).sum(1)

    game = AdversarialGame(
        generate=lambda batch, _: torch.ones_like(batch.x),
        judge=judge,
        rules=GameRules(augment="shift-cut", penalty=0),
    )
    batch, noise = Batch(torch.ones(20, 1, 8, 8)), torch.Generator().manual_seed(0)
    game.critic_turn(batch, noise)
    game.generator_turn(batch, noise)
    (both, own) = seen
    for images in (both[:20], both[20:], own):
        assert (images.flatten(1).sum(1) < 64).any()
    assert not torch.equal(both[:20], both[20:])
