import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from ancestral.training.checkpoint import load_tensors
from ancestral.training.ranks import copy_from_first, number_of_first, sum_over_ranks, world

# Run by each rank, and once alone with two micro-batches: dropout, noise, clipping, average,
# two players, unequal weights, validation with early stopping.
GAME = """
import sys
from pathlib import Path
import torch
from torch import distributed as dist, nn
from ancestral.capabilities import Batch, Loss, Player
from ancestral.errors import ConfigError
from ancestral.training import Budget, Game, Options, Validation, save_tensors, train

torch.set_num_threads(1)
out, ranks = Path(sys.argv[1]), int(sys.argv[2])
if ranks > 1:
    dist.init_process_group("gloo")
rank = dist.get_rank() if ranks > 1 else 0
torch.manual_seed(0 if ranks == 1 else rank)  # Rank 0's weights count.
net = nn.Sequential(nn.Conv1d(1, 4, 2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(4, 1)).double()
other = nn.Linear(2, 1).double()
unused = nn.Linear(2, 2).double()

def loss(batch, generator):
    noise = torch.randn(len(batch.x), 1, generator=generator, dtype=torch.float64)
    weight = batch.given["weight"]
    error = (net(batch.x[:, None]) + 0.1 * noise - other(batch.x)).square()[:, 0]
    return Loss((weight * error).sum(), weight.sum().item(), {"mean": error.detach().mean()})

players = [
    Player(name="net", module=nn.ModuleList([net, unused]), loss=loss),
    Player(name="other", module=other, loss=loss, updates=2),
]
options = Options(batch_size=8, accumulate=2 // ranks, max_grad_norm=0.1, ema_decay=0.9,
                  validate_every=3, patience=2, learning_rate=0.01)
game = Game(players, options, seed=3)
x = torch.randn(50, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
examples = Batch(x, {"weight": torch.rand(50, generator=torch.Generator().manual_seed(2)).double()})
figures = iter([3.0, 2.0, 2.5, 2.25, 9.0] if rank == 0 else [0.0] * 5)
validation = Validation(run=lambda: {"v": next(figures)}, figure="v")
reports = list(train(game, examples, budget=Budget(steps=99), validation=validation))
last = reports[-1].metrics
metrics = {key: torch.tensor(value, dtype=torch.float64) for key, value in last.items()}
save_tensors(out / f"{ranks}-{rank}", game.state(), {"steps": len(reports)})
save_tensors(out / f"{ranks}-{rank}-metrics", metrics, {})
seconds = list(train(game, examples, budget=Budget(seconds=0.2)))
save_tensors(out / f"{ranks}-{rank}-seconds", {}, {"steps": len(seconds)})
if ranks > 1:
    coupled = Player(name="c", module=other, loss=loss, couples_examples=True)
    try:
        Game([coupled], Options(), seed=0)
    except ConfigError as error:
        assert "got 1 x 2" in str(error)
    else:
        raise SystemExit("a coupled loss was not refused")
    dist.destroy_process_group()
"""


def launch(out: Path, ranks: int) -> list[subprocess.Popen]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
    return [
        subprocess.Popen(
            [sys.executable, "-c", GAME, str(out), str(ranks)],
            env={**os.environ, **place, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(ranks)
    ]


def test_two_ranks_are_one_process_with_two_micro_batches(tmp_path: Path) -> None:
    processes = [*launch(tmp_path, 1), *launch(tmp_path, 2)]
    assert [process.wait(timeout=240) for process in processes] == [0, 0, 0]
    alone, said = load_tensors(tmp_path / "1-0")
    assert said == {"steps": 12}  # Stopped early, two validations after the best.
    for rank in (0, 1):
        tensors, told = load_tensors(tmp_path / f"2-{rank}")
        assert told == said
        assert tensors.keys() == alone.keys()
        # A sum of two terms has no order, so even the bits agree.
        assert all(torch.equal(tensor, alone[name]) for name, tensor in tensors.items())
        metrics, _ = load_tensors(tmp_path / f"2-{rank}-metrics")
        for name, tensor in load_tensors(tmp_path / "1-0-metrics")[0].items():
            torch.testing.assert_close(metrics[name], tensor)
    first, second = (load_tensors(tmp_path / f"2-{rank}-seconds")[1] for rank in (0, 1))
    assert first == second


def test_alone_everything_is_the_identity() -> None:
    tensor = torch.arange(3.0)
    assert world() == (0, 1)
    sum_over_ranks([tensor])
    copy_from_first([tensor])
    assert tensor.tolist() == [0.0, 1.0, 2.0]
    assert number_of_first(0.5, torch.device("cpu")) == 0.5
