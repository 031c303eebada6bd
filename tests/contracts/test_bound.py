import math
from collections.abc import Callable

import pytest
import torch
from tests.contracts.models import Case, cases
from torch import Generator, Tensor

from ancestral.errors import AncestralError

pytestmark = cases("bound")

ROUNDS = 24


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def given(case: Case) -> dict[str, Tensor] | None:
    return dict(case.held_out.given) or None


def difference(a: list[Tensor], b: list[Tensor]) -> tuple[float, float]:
    """Return the mean of a - b over rounds of all examples, and its standard error."""
    rounds = torch.stack(a).double().mean(1) - torch.stack(b).double().mean(1)
    return float(rounds.mean()), float(rounds.std()) / math.sqrt(len(rounds))


def refuses(method: Callable[..., Tensor], case: Case) -> None:
    """Check that no draws and unknown nodes are refused."""
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        method(case.held_out.x, given=given(case), draws=0)
    with pytest.raises((ValueError, AncestralError), match="nonsense"):
        method(case.held_out.x, given={**(given(case) or {}), "nonsense": torch.tensor(0)})


def elbos(case: Case, draws: int = 1) -> list[Tensor]:
    x, generator = case.held_out.x, seeded(draws)
    return [
        case.fitted().elbo(x, given=given(case), draws=draws, generator=generator)
        for _ in range(ROUNDS)
    ]


def test_a_bound_is_one_finite_number_an_example(case: Case) -> None:
    x = case.held_out.x
    value = case.fitted().elbo(x, given=given(case), draws=3)
    assert value.shape == (len(x),)
    assert value.isfinite().all()


def test_a_seed_decides_the_bound(case: Case) -> None:
    model, before = case.fitted(), torch.get_rng_state()
    values = [
        model.elbo(case.held_out.x, given=given(case), draws=2, generator=seeded(seed))
        for seed in (3, 3, 4)
    ]
    assert torch.equal(values[0], values[1])
    assert torch.equal(values[0], values[2]) != case.drawn
    assert torch.equal(before, torch.get_rng_state())


def test_more_draws_do_not_move_the_elbo(case: Case) -> None:
    mean, error = difference(elbos(case, 1), elbos(case, 6))
    assert abs(mean) <= 5 * error


def test_the_elbo_lies_below_an_exact_density(case: Case) -> None:
    if case.exact is None:
        return
    exact = [case.exact(case.fitted(), case.held_out.x)] * ROUNDS
    mean, error = difference(elbos(case), exact)
    assert mean < 5 * error


def test_training_raised_the_bound(case: Case) -> None:
    fresh = case.fresh().elbo(case.held_out.x, given=given(case), draws=4, generator=seeded())
    assert torch.stack(elbos(case)).mean() > fresh.mean()


def test_no_draws_and_unknown_nodes_are_refused(case: Case) -> None:
    refuses(case.fitted().elbo, case)
