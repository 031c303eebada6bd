import itertools

import pytest
import torch
from torch import Generator, Tensor

from ancestral.errors import CapabilityError, DataError
from ancestral.tabular import LatentClass, best_classes
from ancestral.telling import watched

SIZES = (2, 3, 2)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))


def rows(n: int, seed: int = 0) -> Tensor:
    """Two classes, one of small cells, one of large ones."""
    generator = Generator().manual_seed(seed)
    which = torch.rand(n, generator=generator) < 0.4
    noise = torch.rand(n, 3, generator=generator) < 0.1
    x = torch.where(which[:, None], torch.tensor([0, 0, 0]), torch.tensor([1, 2, 1]))
    return torch.where(noise, torch.tensor([1, 1, 0]), x)


def fitted(classes: int = 2) -> LatentClass:
    return LatentClass(SIZES, classes=classes).fit(rows(2000), generator=Generator().manual_seed(0))


def test_probabilities_add_up_to_one_and_unknown_cells_are_summed_out() -> None:
    model = fitted()
    p = model.log_prob(ALL).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    part = torch.tensor([[-1, 2, -1]])
    summed = p[ALL[:, 1] == 2].sum()
    assert model.log_prob(part).exp().item() == pytest.approx(summed.item(), abs=1e-12)
    assert model.log_prob(torch.full((1, 3), -1)).item() == pytest.approx(0, abs=1e-12)


def test_conditionals_are_those_of_the_joint() -> None:
    model = fitted()
    p = model.log_prob(ALL).exp()
    known = torch.tensor([[0, -1, 1]])
    joint = torch.stack(
        [p[(ALL[:, 0] == 0) & (ALL[:, 1] == k) & (ALL[:, 2] == 1)].sum() for k in range(3)]
    )
    torch.testing.assert_close(model.conditional(known, 1)[0].exp(), joint / joint.sum())
    given = {"x1": torch.tensor(0), "x3": torch.tensor(1)}
    x = torch.tensor([[0, 2, 1]])
    torch.testing.assert_close(model.log_prob(x, given=given).exp()[0], (joint / joint.sum())[2])


def test_one_class_is_independence() -> None:
    x = rows(500)
    model = LatentClass(SIZES, pseudo_count=1e-9).fit(x)
    shares = [x[:, d].bincount(minlength=size).double() / 500 for d, size in enumerate(SIZES)]
    expected = sum(share[ALL[:, d]].log() for d, share in enumerate(shares))
    torch.testing.assert_close(model.log_prob(ALL), expected, atol=1e-6, rtol=1e-6)
    assert set(model.graph["p"].names) == {"x1", "x2", "x3"}


def test_every_sweep_of_em_gains() -> None:
    x = rows(1000)
    scores = [
        LatentClass(SIZES, classes=2, sweeps=sweeps, tolerance=-1, pseudo_count=1e-9)
        .fit(x, generator=Generator().manual_seed(3))
        .log_prob(x)
        .mean()
        .item()
        for sweeps in (1, 2, 4, 8, 16)
    ]
    assert scores == sorted(scores)


def test_classes_are_found_by_rows_held_out() -> None:
    assert best_classes(rows(3000), SIZES, generator=Generator().manual_seed(0)) == 2


def test_draws_given_columns_follow_the_conditional() -> None:
    model, n = fitted(), 20_000
    x = torch.tensor([[0, -1, -1]]).repeat(n, 1)
    drawn = model.complete(x, generator=Generator().manual_seed(0))
    assert bool((drawn[:, 0] == 0).all())
    p = model.log_prob(ALL).exp() * (ALL[:, 0] == 0)
    p /= p.sum()
    share = torch.stack([(drawn == row).all(dim=1).double().mean() for row in ALL])
    assert bool(((share - p).abs() < 5 * (p / n).sqrt() + 1e-9).all())
    barred = model.complete(x, least=[0, 1, 0], generator=Generator().manual_seed(0))
    assert int(barred[:, 1].min()) == 1


def test_gaps_in_training_rows_are_left_out_of_the_counts() -> None:
    x = rows(2000)
    holes = torch.rand(x.shape, generator=Generator().manual_seed(1)) < 0.2
    model = LatentClass(SIZES, classes=2).fit(
        x.masked_fill(holes, -1), generator=Generator().manual_seed(0)
    )
    torch.testing.assert_close(
        model.log_prob(ALL).exp(), fitted().log_prob(ALL).exp(), atol=0.03, rtol=0
    )


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="pseudo_count must be above 0"):
        LatentClass(SIZES, pseudo_count=0)
    with pytest.raises(ValueError, match="column 2 must hold cells 0 to 2, or -1, got 3 to 3"):
        fitted().log_prob(torch.tensor([[0, 3, 0]]))
    with pytest.raises(ValueError, match=r"x must have shape \[B, 3\]"):
        fitted().log_prob(torch.zeros(4, 2, dtype=torch.int64))
    with pytest.raises(DataError, match="fitting needs at least 1 row"):
        LatentClass(SIZES).fit(torch.zeros(0, 3, dtype=torch.int64))
    with pytest.raises(CapabilityError, match="'y' cannot be given"):
        fitted().sample(2, given={"y": torch.tensor(0)})


def test_a_column_may_be_called_class() -> None:
    graph = LatentClass([2, 2], classes=2, names=["class", "age"]).graph["p"]
    assert set(graph.edges) == {("class_", "class"), ("class_", "age")}


def test_what_may_be_drawn_tells_of_the_class() -> None:
    # Two classes; in the first the second column is nearly always its cell 0.
    model = LatentClass([1, 2], classes=2)
    model.log_tables.copy_(torch.tensor([[1.0, 1.0], [0.8, 0.1], [0.2, 0.9]]).double().log())
    n, x = 20_000, torch.tensor([[0, -1]])
    generator = Generator().manual_seed(0)
    model.log_weights.copy_(torch.tensor([0.5, 0.5]).double().log())
    assert bool(
        (model.complete(x.repeat(50, 1), least=[0, 1], generator=generator)[:, 1] == 1).all()
    )
    wide = LatentClass([3, 2], classes=2)
    wide.log_tables.copy_(
        torch.tensor([[0.8, 0.1], [0.1, 0.2], [0.1, 0.7], [0.5, 0.5], [0.5, 0.5]]).double().log()
    )
    drawn = wide.complete(torch.tensor([[-1, 0]]).repeat(n, 1), least=[1, 0], generator=generator)
    exact = torch.tensor([0.1 + 0.2, 0.1 + 0.7]) / 1.1
    share = (drawn[:, 0] == 1).double().mean()
    assert abs(share - exact[0]) < 5 * (exact[0] * exact[1] / n) ** 0.5


def test_em_ends_with_its_time() -> None:
    beats: list[float] = []
    with watched(beats.append, seconds=0):
        model = LatentClass(SIZES, classes=4, tolerance=-1).fit(rows(500))
        assert best_classes(rows(500), SIZES, generator=Generator().manual_seed(0)) == 1
    assert len(beats) >= 1
    assert model.log_prob(ALL).exp().sum().item() == pytest.approx(1, abs=1e-9)
