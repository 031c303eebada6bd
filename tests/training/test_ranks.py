"""Trainings by several real processes, started as users start them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ancestral.training.checkpoint import load_tensors
from ancestral.training.ranks import copy_from_first, number_of_first, sums_over_ranks, world

# Dropout, noise, clipping, average, two players, unequal weights, parameters that no loss uses,
# matrices with fewer rows than ranks, validation with early stopping.
GAME = """
import os
import sys
from pathlib import Path
import torch
from torch import nn
from ancestral.capabilities import Loss, Player
from ancestral.errors import ConfigError
from ancestral.training import Budget, Game, Options, Progress, Rows, Validation, train
from ancestral.training.checkpoint import Checkpoints, SpreadCheckpoints, save_tensors
from ancestral.training.ranks import join, leave, world

name, shard = sys.argv[2], sys.argv[3] == "shard"
join("cpu")
rank, ranks = world()

def play(out, optimizer):
    torch.manual_seed(rank)  # Rank 0's weights count.
    hidden = nn.Linear(4, 6)
    net = nn.Sequential(nn.Conv1d(1, 4, 2), nn.Dropout(0.3), nn.Flatten(), hidden, nn.Linear(6, 1))
    other, unused = nn.Linear(2, 1), nn.Linear(2, 2)

    def loss(batch, generator):
        noise = torch.randn(len(batch.x), 1, generator=generator)
        weight = batch.given["weight"]
        error = (net(batch.x[:, None]) + 0.1 * noise - other(batch.x)).square()[:, 0]
        return Loss((weight * error).sum(), weight.sum().item(), {"mean": error.detach().mean()})

    players = [
        Player(name="net", module=nn.ModuleList([net, unused]), loss=loss, hidden=[hidden.weight]),
        Player(name="other", module=other, loss=loss, updates=2, hidden=[other.weight]),
    ]
    options = Options(batch_size=8, accumulate=4, max_grad_norm=0.1, ema_decay=0.9, shard=shard,
                      validate_every=3, patience=2, learning_rate=0.01, optimizer=optimizer)
    game = Game(players, options, seed=3)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    feed = Rows(x, {"weight": torch.rand(50, generator=torch.Generator().manual_seed(2))})
    figures = [3.0, 2.0, 2.5, 2.25, 9.0]
    state, kind = None, SpreadCheckpoints if shard else Checkpoints
    if name == "resumed":
        checkpoints = kind(out / sys.argv[4])
        if shard:
            words = checkpoints.load(game.state())
        else:
            _, tensors, words = checkpoints.latest()
            game.load_state(tensors)
        state = Progress.from_json(words)
        figures = figures[state.step // 3:]
    figures = iter(figures)

    def validate():  # With whole weights.
        with torch.no_grad():
            net(x[:, None])
        return {"v": next(figures)}

    reports = []
    for report in train(game, feed, budget=Budget(steps=99), state=state,
                        validation=Validation(run=validate, figure="v")):
        reports.append(report)
        if report.step == 5 and name != "alone":
            kind(out / name).save(5, game.state(), report.progress.to_json())
    save_tensors(out / f"{name}.weights", game.state(), {"steps": reports[-1].step})
    with game.averaged():
        save_tensors(out / f"{name}.average", players[0].module.state_dict(), {})
    last = {key: torch.tensor(value) for key, value in reports[-1].metrics.items()}
    save_tensors(out / f"{name}.metrics", last, {})
    if ranks > 1:
        seconds = list(train(game, feed, budget=Budget(seconds=0.1)))
        coupled = Player(name="c", module=nn.Linear(2, 1), loss=loss, couples_examples=True)
        for bad in ([coupled], Options(), "got 1 x "), (players, Options(accumulate=3), "multiple"):
            try:
                Game(bad[0], bad[1], seed=0)
            except ConfigError as error:
                assert bad[2] in str(error)
            else:
                raise SystemExit("it was not refused")

for optimizer in ("adamw", "muon"):
    play(Path(sys.argv[1]) / optimizer, optimizer)
leave()
sys.stdout.flush()
os._exit(0)  # As the command line ends: torch's own teardown aborts one process in fifty.
"""
OPTIMIZERS = ("adamw", "muon")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}


def torchrun(ranks: int, *arguments: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "--master-port", port]
    command = [sys.executable, *start, *arguments]
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The game, and what it comes to in one process."""
    path = tmp_path_factory.mktemp("ranks") / "game.py"
    path.write_text(GAME)
    for optimizer in OPTIMIZERS:
        (path.parent / optimizer).mkdir()
    words = [sys.executable, str(path), str(path.parent), "alone", "ddp"]
    subprocess.run(words, check=True, env=ENVIRONMENT)
    return path


def assert_as_alone(folder: Path, name: str) -> None:
    for kind in ("weights", "average", "metrics"):
        alone, said = load_tensors(folder / f"alone.{kind}")
        tensors, told = load_tensors(folder / f"{name}.{kind}")
        assert told == said
        assert tensors.keys() == alone.keys()
        for key, tensor in tensors.items():
            # Four float32 terms are added in another order, in twelve steps of Adam.
            torch.testing.assert_close(tensor, alone[key], rtol=1e-5, atol=1e-6, msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ddp", "shard"])
def test_ranks_are_one_process_and_four_resume_on_two(script: Path, engine: str) -> None:
    four, two = f"{engine}-4", f"{engine}-2"
    torchrun(4, str(script), str(script.parent), four, engine)
    torchrun(2, str(script), str(script.parent), two, engine)
    torchrun(2, str(script), str(script.parent), "resumed", engine, four)
    for optimizer in OPTIMIZERS:
        folder = script.parent / optimizer
        assert load_tensors(folder / "alone.weights")[1] == {"steps": 12}  # Stopped early.
        for name in (four, two, "resumed"):
            assert_as_alone(folder, name)


def test_alone_everything_is_the_identity() -> None:
    tensor = torch.arange(3.0)
    assert world() == (0, 1)
    assert sums_over_ranks([0.5], tensor.device) == [0.5]
    copy_from_first([tensor])
    assert tensor.tolist() == [0.0, 1.0, 2.0]
    assert number_of_first(0.5, torch.device("cpu")) == 0.5
