"""How many threads a training computes with: one or all, whichever is measured to be faster.

Where anything else runs on the machine, two threads that wait for each other at every product of a
small network can be a hundred times as slow as one.
"""

import time

import torch

from ancestral.training.feed import Feed
from ancestral.training.game import Game
from ancestral.training.loop import Prepare, Source

_SECONDS = 0.5
_ROUNDS = 6


def faster_threads(game: Game, feed: Feed, prepare: Prepare | None = None) -> int:
    """Return 1 or torch's present number of threads, by a few steps with each, in turns.

    The game's state is put back to the bit, and so is the number of threads.

    Args:
        game: On another device than the processor, and over several ranks, nothing is measured.
        feed: The training split.
        prepare: As in training.

    Example:
        >>> from ancestral.capabilities import Loss, Player
        >>> from ancestral.training import Options, Rows
        >>> line = torch.nn.Linear(2, 1)
        >>> def loss(batch, generator):
        ...     return Loss(line(batch.x).square().sum(), len(batch.x))
        >>> game = Game([Player(name="line", module=line, loss=loss)], Options(), seed=0)
        >>> faster_threads(game, Rows(torch.ones(4, 2))) in (1, torch.get_num_threads())
        True
    """
    most = torch.get_num_threads()
    if most == 1 or game.device.type != "cpu" or game.world > 1:
        return most
    source = Source(game, feed, prepare)
    before = {name: tensor.clone() for name, tensor in game.state().items()}
    begun = time.perf_counter()
    spent = {1: 0.0, most: 0.0}
    try:
        for turn in range(_ROUNDS):
            for threads, seconds in spent.items():
                torch.set_num_threads(threads)
                start = time.perf_counter()
                game.step(source.batches(1), 1, 0.0)
                # The first step of each makes buffers that the others find.
                spent[threads] = time.perf_counter() - start + (seconds if turn > 1 else 0.0)
            if time.perf_counter() - begun > _SECONDS:
                break
    finally:
        torch.set_num_threads(most)
        game.load_state(before)
    return min(spent, key=spent.__getitem__)
