import math

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


def elbos(case: Case, draws: int = 1) -> list[Tensor]:
    x, generator = case.held_out.x, seeded(draws)
    return [
        case.fitted().elbo(x, given=given(case), draws=draws, generator=generator)
        for _ in range(ROUNDS)
    ]


def estimates(case: Case, draws: int) -> list[Tensor]:
    x, generator = case.held_out.x, seeded(draws)
    return [
        case.fitted().estimate_log_prob(x, given=given(case), draws=draws, generator=generator)
        for _ in range(ROUNDS)
    ]


def test_a_bound_is_one_finite_number_an_example(case: Case) -> None:
    x = case.held_out.x
    for method in (case.fitted().elbo, case.fitted().estimate_log_prob):
        value = method(x, given=given(case), draws=3)
        assert value.shape == (len(x),)
        assert value.isfinite().all()


def test_a_seed_decides_the_bound(case: Case) -> None:
    model, before = case.fitted(), torch.get_rng_state()
    for method in (model.elbo, model.estimate_log_prob):
        values = [
            method(case.held_out.x, given=given(case), draws=2, generator=seeded(seed))
            for seed in (3, 3, 4)
        ]
        assert torch.equal(values[0], values[1])
        assert not torch.equal(values[0], values[2])
    assert torch.equal(before, torch.get_rng_state())


def test_more_draws_do_not_move_the_elbo(case: Case) -> None:
    mean, error = difference(elbos(case, 1), elbos(case, 6))
    assert abs(mean) < 5 * error


def test_the_elbo_lies_below_the_estimate(case: Case) -> None:
    mean, error = difference(elbos(case), estimates(case, 32))
    assert mean < 5 * error


def test_the_estimate_rises_with_the_draws(case: Case) -> None:
    values = {draws: estimates(case, draws) for draws in (1, 4, 32)}
    for fewer, more in ((1, 4), (4, 32)):
        mean, error = difference(values[fewer], values[more])
        assert mean < 5 * error


def test_bounds_lie_below_an_exact_density(case: Case) -> None:
    if case.exact is None:
        return
    exact = [case.exact(case.fitted(), case.held_out.x)] * ROUNDS
    mean, error = difference(elbos(case), exact)
    assert mean < 5 * error
    # With many draws the estimate's bias, of order Var(w) / 2K, is lost in its standard error.
    many = estimates(case, 512)
    mean, error = difference(many, exact)
    assert abs(mean) < 5 * error + 0.01


def test_without_the_label_the_bound_is_on_the_marginal(case: Case) -> None:
    if not case.held_out.given:
        return
    model, x, generator = case.fitted(), case.held_out.x, seeded()
    bound = [model.elbo(x, generator=generator) for _ in range(ROUNDS)]
    marginal = [model.estimate_log_prob(x, draws=16, generator=generator) for _ in range(ROUNDS)]
    mean, error = difference(bound, marginal)
    assert mean < 5 * error
    # log p(x) >= log p(label) + log p(x | label) for the label that it has.
    joint = [value + math.log(1 / 2) for value in estimates(case, 1)]
    mean, error = difference(joint, marginal)
    assert mean < 5 * error


def test_training_raised_the_bound(case: Case) -> None:
    fresh = case.fresh().elbo(case.held_out.x, given=given(case), draws=4, generator=seeded())
    assert torch.stack(elbos(case)).mean() > fresh.mean()


def test_no_draws_and_unknown_nodes_are_refused(case: Case) -> None:
    for method in (case.fitted().elbo, case.fitted().estimate_log_prob):
        with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
            method(case.held_out.x, given=given(case), draws=0)
        with pytest.raises((ValueError, AncestralError), match="nonsense"):
            method(case.held_out.x, given={**(given(case) or {}), "nonsense": torch.tensor(0)})
