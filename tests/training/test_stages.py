"""A model that changes as training goes, and how many threads train it."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ancestral.capabilities import Batch, Changes, Loss, Player
from ancestral.training import Budget, Game, Options, Progress, Rows, train
from ancestral.training.threads import faster_threads

X = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))


class Growing(nn.Module):
    """Its second layer is faded in over the second half."""

    alpha: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.register_buffer("alpha", torch.zeros(()))
        self.told: list[float] = []

    def at(self, progress: float) -> None:
        self.told.append(progress)
        self.alpha.fill_(max(0.0, 2 * progress - 1))

    def loss(self, batch: Batch, generator: torch.Generator | None) -> Loss:
        del generator
        x = self.first(batch.x)
        if self.alpha > 0:
            x = x + self.alpha * self.second(x)
        return Loss(x.square().sum(), len(x))

    def game(self) -> Game:
        player = Player(name="model", module=self, loss=self.loss)
        return Game([player], Options(batch_size=8), seed=0, at=self.at)


def test_it_is_told_and_resumes_in_the_middle_of_a_stage() -> None:
    straight = Growing()
    assert isinstance(straight, Changes)
    game = straight.game()
    for _ in train(game, Rows(X), budget=Budget(steps=10)):
        pass
    assert straight.told == pytest.approx([step / 10 for step in range(10)])
    for stop in (3, 7):
        state, tensors, told = None, {}, []
        for last in (stop, 10):
            model = Growing()
            part = model.game()
            if state is not None:
                part.load_state(tensors)
            for report in train(part, Rows(X), budget=Budget(steps=10), state=state):
                if report.step == last:
                    state = report.progress
                    break
            tensors = {name: tensor.clone() for name, tensor in part.state().items()}
            told += model.told
        assert told == straight.told
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in game.state().items())


def test_under_a_clock_the_share_goes_on_from_the_recorded_seconds() -> None:
    model = Growing()
    state = Progress(step=5, seconds=0.6)
    for _ in train(model.game(), Rows(X), budget=Budget(seconds=0.8), state=state):
        break
    assert model.told == [pytest.approx(0.75)]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_measuring_threads_leaves_the_training_as_it_was() -> None:
    model = Growing()
    game = model.game()
    before = {name: tensor.clone() for name, tensor in game.state().items()}
    state = torch.get_rng_state()
    assert faster_threads(game, Rows(X)) in (1, 2)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in game.state().items())
