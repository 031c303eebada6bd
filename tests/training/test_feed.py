from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ancestral.capabilities import Batch, Loss, Player
from ancestral.training import Budget, Feed, Game, Options, Progress, Rows, Streamed, train
from ancestral.training.order import WindowedOrder

X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))


class Cut:
    """The same rows in chunks."""

    sizes = torch.tensor([7, 1, 20, 12, 20])

    def read(self, chunk: int) -> tuple[Tensor, dict[str, Tensor]]:
        rows = torch.arange(60).split(self.sizes.tolist())[chunk]
        return X[rows], {"row": rows}


def trained(feed: Feed, stop: int) -> dict[str, Tensor]:
    """Return the state after nine steps, the training begun anew after some."""
    state, tensors = None, {}
    for last in (stop, 9):
        torch.manual_seed(0)
        module = nn.Linear(3, 1)

        def loss(
            batch: Batch, generator: torch.Generator | None, module: nn.Module = module
        ) -> Loss:
            noise = torch.randn(len(batch.x), 1, generator=generator)
            return Loss((module(batch.x) - noise).square().sum(), len(batch.x))

        game = Game([Player(name="a", module=module, loss=loss)], Options(batch_size=16), seed=1)
        if state is not None:
            game.load_state(tensors)
        for report in train(game, feed, budget=Budget(steps=9), state=state):
            if report.step == last:
                state = report.progress
                break
        tensors = {name: tensor.clone() for name, tensor in game.state().items()}
    assert isinstance(state, Progress)
    return tensors


def test_every_feed_is_resumed_to_the_bit_and_a_file_is_as_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.numpy())
    mapped = torch.from_numpy(np.load(tmp_path / "x.npy", mmap_mode="c"))
    in_memory = trained(Rows(X), 9)
    for feed in (Rows(X), Rows(mapped, mapped=True)):
        found = trained(feed, 4)
        assert all(torch.equal(tensor, found[name]) for name, tensor in in_memory.items())
    straight, resumed = trained(Streamed(Cut(), window=2), 9), trained(Streamed(Cut(), window=2), 4)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in straight.items())


def test_rows_of_a_file_come_in_the_order_asked_for() -> None:
    rows = torch.tensor([5, 59, 0, 5, 31])
    given = {"row": torch.arange(60)}
    for feed in (Rows(X, given), Rows(X, given, mapped=True), Streamed(Cut())):
        batch = feed.take(rows)
        assert torch.equal(batch.x, X[rows])
        assert torch.equal(batch.given["row"], rows)
        assert len(feed) == 60


def test_windows_mix_their_own_chunks_only_and_epochs_differ() -> None:
    order = WindowedOrder(Cut.sizes, 2, 60, seed=5)
    first, second = order.batch(0), order.batch(1)
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(60))
    assert not torch.equal(first, second)
    owners = torch.repeat_interleave(torch.arange(5), Cut.sizes)[first].tolist()
    mixed = list(dict.fromkeys(owners))[:2]
    assert set(owners[: int(Cut.sizes[mixed].sum())]) == set(mixed)
    small = WindowedOrder(Cut.sizes, 2, 7, seed=5)
    stream = torch.cat([small.batch(k) for k in range(18)])
    assert torch.equal(stream[:120], torch.cat((first, second)))
