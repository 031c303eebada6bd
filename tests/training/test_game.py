import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, nn

from ancestral.capabilities import Batch, Loss, Player
from ancestral.errors import ConfigError, DivergenceError
from ancestral.training.game import Game
from ancestral.training.options import Options

X = torch.randn(8, 2, generator=Generator().manual_seed(0), dtype=torch.float64)


def line(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(2, 1).double()


def squares(module: nn.Module, **fields: object) -> Player:
    def loss(batch: Batch, generator: Generator | None) -> Loss:
        error = (module(batch.x) - 1.0).square()
        return Loss(error.sum(), len(batch.x), {"largest": error.detach().max()})

    return Player(**{"name": "line", "module": module, "loss": loss, **fields})


def steps(game: Game, n: int, x: torch.Tensor = X) -> dict[str, float]:
    metrics = {}
    for number in range(1, n + 1):
        parts = x.chunk(game.options.accumulate) * game.rounds
        metrics = game.step([Batch(part) for part in parts], number, (number - 1) / n)
    return metrics


def test_one_player_minimises_its_loss() -> None:
    module = line()
    game = Game([squares(module)], Options(learning_rate=0.1, weight_decay=0.0), seed=0)
    first, last = steps(game, 1), steps(game, 200)
    assert last["line/loss"] < 1e-6 < first["line/loss"]
    assert set(last) == {"line/loss", "line/largest", "line/learning_rate"}


def test_a_step_is_one_of_torchs_adamw_on_the_mean() -> None:
    ours, theirs = line(), line()
    game = Game([squares(ours)], Options(schedule="constant", weight_decay=0.0), seed=0)
    peer = torch.optim.AdamW(theirs.parameters(), lr=1e-3, weight_decay=0.0)
    for number in (1, 2, 3):
        metrics = game.step([Batch(X)], number, 0.0)
        peer.zero_grad()
        loss = (theirs(X) - 1.0).square().mean()
        loss.backward()
        peer.step()
        assert metrics["line/loss"] == pytest.approx(loss.item())
    # Both orders of summing and dividing round differently in the last bit or two.
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-13, atol=1e-15)


def test_micro_batches_of_unequal_weight_make_the_whole_batch() -> None:
    whole, parts = line(), line()
    Game([squares(whole)], Options(), seed=0).step([Batch(X)], 1, 0.0)
    game = Game([squares(parts)], Options(accumulate=2), seed=0)
    game.step([Batch(X[:3]), Batch(X[3:])], 1, 0.0)
    torch.testing.assert_close(whole.weight, parts.weight, rtol=1e-12, atol=0)


def test_gradients_are_clipped_to_the_global_norm() -> None:
    module = line()
    before = torch.cat([p.detach().flatten() for p in module.parameters()])
    options = Options(
        optimizer="sgd",
        betas=(0.0, 0.0),
        learning_rate=1.0,
        weight_decay=0.0,
        max_grad_norm=0.01,
        schedule="constant",
    )
    metrics = Game([squares(module)], options, seed=0).step([Batch(X)], 1, 0.0)
    after = torch.cat([p.detach().flatten() for p in module.parameters()])
    assert metrics["line/grad_norm"] > 0.01
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-6)


def test_other_players_are_frozen_in_a_turn_and_free_after() -> None:
    left, right = line(0), line(1)
    frozen: list[tuple[bool, bool]] = []

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        frozen.append((left.weight.requires_grad, right.weight.requires_grad))
        return Loss((left(batch.x) * right(batch.x)).square().sum(), len(batch.x))

    players = [
        Player(name="left", module=left, loss=loss, updates=2),
        Player(name="right", module=right, loss=loss, learning_rate=0.5, betas=(0.5, 0.9)),
    ]
    game = Game(players, Options(schedule="constant"), seed=0)
    assert game.micro_batches == 2
    metrics = steps(game, 1)
    assert frozen == [(True, False), (True, False), (False, True)]
    assert left.weight.requires_grad
    assert right.weight.requires_grad
    assert left.weight.grad is None
    assert right.weight.grad is None
    # Adam's first steps are as long as the rate, each player's own.
    assert (right.weight - line(1).weight).abs().max().item() == pytest.approx(0.5, rel=0.02)
    assert metrics["right/learning_rate"] == 0.5
    assert game.seats[1].optimizer.betas == (0.5, 0.9)


def test_parameters_that_need_no_gradient_stay() -> None:
    module = line()
    module.bias.requires_grad_(False)
    bias = module.bias.clone()
    steps(Game([squares(module), squares(line(1), name="other")], Options(), seed=0), 3)
    assert torch.equal(module.bias, bias)
    assert not module.bias.requires_grad


@pytest.mark.parametrize(
    ("players", "rule"),
    [
        (lambda _: [], "at least one player"),
        (lambda m: [squares(m), squares(line(1))], "different names, got line twice"),
        (
            lambda m: [squares(m), squares(nn.Sequential(m), name="b")],
            "line and b share a parameter",
        ),
        (lambda m: [squares(m.requires_grad_(False))], "no parameter that needs a gradient"),
    ],
)
def test_wrong_players_are_refused(players: Callable, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Game(players(line()), Options(), seed=0)


def test_nested_modules_with_their_own_parameters_may_play() -> None:
    body = line()
    head = nn.Sequential(body, nn.Linear(1, 1).double())
    game = Game([squares(body, name="a"), squares(head[1], name="b")], Options(), seed=0)
    assert [len(seat.parameters) for seat in game.seats] == [2, 2]


def test_a_coupled_loss_refuses_micro_batches_aloud() -> None:
    player = squares(line(), couples_examples=True)
    Game([player], Options(), seed=0)
    with pytest.raises(ConfigError, match="accumulate x ranks must be 1, got 2 x 1"):
        Game([player], Options(accumulate=2), seed=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_update(bad: float) -> None:
    module = line()
    game = Game([squares(module)], Options(ema_decay=0.9), seed=0)
    steps(game, 3)
    before = {name: tensor.clone() for name, tensor in game.state().items()}
    with pytest.raises(DivergenceError, match=r"loss of line is (nan|inf); lower"):
        game.step([Batch(X * bad)], 4, 0.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in game.state().items())
    assert module.weight.grad is None


def test_a_gradient_that_is_not_finite_stops_before_the_update() -> None:
    weight = nn.Parameter(torch.zeros(3))
    holder = nn.ParameterList([weight])

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        return Loss(weight.sqrt().sum(), 1.0)  # Finite at zero, with an infinite slope.

    game = Game([Player(name="root", module=holder, loss=loss)], Options(), seed=0)
    with pytest.raises(DivergenceError, match="gradient of root is not finite"):
        game.step([Batch(X)], 1, 0.0)
    assert torch.equal(weight, torch.zeros(3))


def test_a_norm_that_overflows_stops_before_the_update() -> None:
    weight = nn.Parameter(torch.ones(3))

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        return Loss((weight * 1e30).sum(), 1.0)

    player = Player(name="steep", module=nn.ParameterList([weight]), loss=loss)
    game = Game([player], Options(max_grad_norm=1.0), seed=0)
    with pytest.raises(DivergenceError, match="gradient of steep overflows"):
        game.step([Batch(X)], 1, 0.0)
    assert torch.equal(weight, torch.ones(3))


def test_a_loss_without_weight_is_refused() -> None:
    module = line()
    player = squares(module)
    empty = Player(name="e", module=module, loss=lambda b, g: Loss(player.loss(b, g).total, 0.0))
    with pytest.raises(ValueError, match="loss of e must have a weight above 0"):
        steps(Game([empty], Options(), seed=0), 1)


def test_the_number_of_batches_is_checked() -> None:
    with pytest.raises(ValueError, match="takes 1 batches, got 2"):
        Game([squares(line())], Options(), seed=0).step([Batch(X), Batch(X)], 1, 0.0)


def test_noise_depends_on_step_player_and_micro_batch_but_not_on_the_callers_generator() -> None:
    seen: list[tuple[float, float]] = []

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        seen.append((torch.rand((), generator=generator).item(), torch.rand(()).item()))
        return squares(module).loss(batch, generator)

    module = line()
    player = Player(name="a", module=module, loss=loss)
    for _ in range(2):
        steps(Game([player], Options(accumulate=2), seed=7), 2)
        torch.rand(3)
    assert seen[:4] == seen[4:]
    assert len({number for pair in seen[:4] for number in pair}) == 8
    torch.manual_seed(1)
    expected = torch.rand(())
    torch.manual_seed(1)
    steps(Game([player], Options(accumulate=2), seed=7), 1)
    assert torch.equal(torch.rand(()), expected)


@pytest.mark.bits
def test_averaged_weights_are_swapped_in_and_out() -> None:
    module = line()
    game = Game([squares(module)], Options(ema_decay=0.5, learning_rate=0.1), seed=0)
    history = []
    for number in (1, 2, 3):
        game.step([Batch(X)], number, 0.0)
        history.append(module.weight.detach().clone())
    expected = history[0]
    for number, weight in zip((2, 3), history[1:], strict=True):
        decay = (number - 1) / (number + 9)
        expected = decay * expected + (1 - decay) * weight
    with game.averaged():
        torch.testing.assert_close(module.weight.detach(), expected)
        with game.averaged():  # Inside itself it changes nothing.
            torch.testing.assert_close(module.weight.detach(), expected)
        with pytest.raises(RuntimeError, match="outside of averaged"):
            game.state()
    assert torch.equal(module.weight, history[-1])


def test_without_a_decay_averaged_does_nothing() -> None:
    module = line()
    game = Game([squares(module)], Options(), seed=0)
    pointer = module.weight.data_ptr()
    with game.averaged():
        assert module.weight.data_ptr() == pointer


@pytest.mark.bits
def test_evaluating_restores_modes_weights_and_generator() -> None:
    module = nn.Sequential(line(), nn.Dropout(0.5), nn.Dropout(0.5))
    module.eval()
    game = Game([squares(module)], Options(ema_decay=0.9), seed=0)
    module[2].eval()  # Put so by its owner, after the game began.
    steps(game, 3)
    raw = module[0].weight.clone()
    torch.manual_seed(0)
    with game.evaluating(3):
        assert not any(part.training for part in module.modules())
        assert not torch.equal(module[0].weight, raw)
        first = torch.rand(())
    with game.evaluating(3):
        assert torch.equal(torch.rand(()), first)
    with pytest.raises(KeyError), game.evaluating(3):
        raise KeyError
    assert [part.training for part in module] == [True, True, False]
    assert torch.equal(module[0].weight, raw)


def test_state_goes_into_a_game_of_the_same_kind_only() -> None:
    game = Game([squares(line())], Options(ema_decay=0.9), seed=0)
    steps(game, 3)
    other = Game([squares(line(5))], Options(ema_decay=0.9), seed=0)
    other.load_state(game.state())
    assert all(torch.equal(t, game.state()[name]) for name, t in other.state().items())
    with pytest.raises(ValueError, match="another game: line/average/0"):
        Game([squares(line())], Options(), seed=0).load_state(game.state())
    wider = Game([squares(nn.Linear(3, 1).double())], Options(ema_decay=0.9), seed=0)
    with pytest.raises(ValueError, match=r"line/weights/weight has the shape \[1, 2\] instead"):
        wider.load_state(game.state())


@pytest.mark.bf16
def test_channels_last_and_bf16_learn_what_float32_learns() -> None:
    torch.manual_seed(0)
    images = torch.randn(16, 3, 8, 8)

    def play(**fields: object) -> tuple[float, torch.Tensor]:
        torch.manual_seed(1)
        module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3))
        options = Options(learning_rate=0.01, max_grad_norm=1.0, ema_decay=0.9, **fields)
        game = Game([squares(module)], options, seed=0)
        x = images.contiguous(memory_format=torch.channels_last) if fields else images
        loss = steps(game, 20, x)["line/loss"]
        return loss, module[0].weight.detach()

    plain, weight = play()
    fast, kernel = play(channels_last=True, precision="float32")
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    # Kernels add in another order: float32 rounding, grown by 20 steps of Adam.
    torch.testing.assert_close(kernel, weight, rtol=1e-3, atol=1e-4)
    assert fast == pytest.approx(plain, rel=1e-3)
    rough, _ = play(channels_last=True, precision="auto")
    assert rough == pytest.approx(plain, rel=0.05)  # bf16 keeps 8 bits.
