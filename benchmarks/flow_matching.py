"""Flow matching: a training step against a plain loop, and what a solver costs over its network."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ancestral.data import load
from ancestral.flows import FlowMatching
from ancestral.networks.ode import METHODS, even, integrate
from ancestral.nn import TimedMLP
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks.harness import Result, compare

BATCH, STEPS, RATE = 500, 20, 2e-3


def network() -> TimedMLP:
    torch.manual_seed(0)
    return TimedMLP(2, hidden=(128,) * 4, frequencies=32)


def our_step(x: Tensor) -> Callable[[], object]:
    """Drive the library's own loop, one report a call."""
    game = Game(
        FlowMatching(network(), (2,)).players(),
        Options(batch_size=BATCH, learning_rate=RATE, weight_decay=0.0),
        seed=0,
    )
    reports = train(game, Rows(x), budget=Budget(steps=10**6))
    return lambda: next(reports)


def plain_step(x: Tensor) -> Callable[[], object]:
    """Return the step as it would be written without a library."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)

    def step() -> float:
        x_1 = x[torch.randint(len(x), (BATCH,))]
        x_0, t = torch.randn_like(x_1), torch.rand(BATCH)
        x_t = torch.lerp(x_0, x_1, t[:, None])
        loss = (model(x_t, t) - (x_1 - x_0)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def solver(z: Tensor, method: str) -> Callable[[], object]:
    """Return the arithmetic of a solver alone: its velocity costs nothing."""
    slope = torch.zeros_like(z)

    @torch.no_grad()
    def call() -> Tensor:
        return integrate(lambda _x, _t: slope, z, even(STEPS), method=method)

    return call


def bare(model: TimedMLP, z: Tensor, method: str) -> Callable[[], object]:
    """Return the network alone, evaluated as often as the method does."""
    times = torch.rand(STEPS * METHODS[method].evaluations)

    @torch.no_grad()
    def call() -> None:
        for t in times:
            model(z, t.expand(len(z)))

    return call


def run() -> Iterator[Result]:
    """Yield the comparisons."""
    x = load("swiss-roll").train.x.float()
    yield compare(
        f"flow-matching training step, swiss roll, batch {BATCH}",
        ours=our_step(x),
        peer=("a plain loop", plain_step(x)),
        bar=0.95,
        calls=100,
        note="same network, fused AdamW on both sides; ours reports, checks and schedules",
    )
    model, z = network(), torch.randn(1_000, 2)
    for method in ("euler", "heun", "rk4"):
        yield compare(
            f"1,000 draws by {STEPS} steps of {method}: what the solver adds",
            ours=solver(z, method),
            peer=("the network, as often evaluated", bare(model, z, method)),
            bar=100,
            note="timed apart: a share of at most 1% is less than two timings differ by",
        )
