import math

import torch
from tests.contracts.models import Case, cases
from tests.contracts.test_bound import ROUNDS, difference, elbos, given, refuses, seeded
from torch import Tensor

pytestmark = cases("tightens")


def estimates(case: Case, draws: int) -> list[Tensor]:
    x, generator = case.held_out.x, seeded(draws)
    return [
        case.fitted().estimate_log_prob(x, given=given(case), draws=draws, generator=generator)
        for _ in range(ROUNDS)
    ]


def test_the_estimate_is_one_finite_number_an_example_that_a_seed_decides(case: Case) -> None:
    x, model = case.held_out.x, case.fitted()
    before = torch.get_rng_state()
    values = [
        model.estimate_log_prob(x, given=given(case), draws=2, generator=seeded(seed))
        for seed in (3, 3, 4)
    ]
    assert torch.equal(before, torch.get_rng_state())
    assert values[0].shape == (len(x),)
    assert values[0].isfinite().all()
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


def test_the_elbo_lies_below_the_estimate(case: Case) -> None:
    mean, error = difference(elbos(case), estimates(case, 32))
    assert mean < 5 * error


def test_the_estimate_rises_with_the_draws(case: Case) -> None:
    values = {draws: estimates(case, draws) for draws in (1, 4, 32)}
    for fewer, more in ((1, 4), (4, 32)):
        mean, error = difference(values[fewer], values[more])
        assert mean < 5 * error


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


def test_many_draws_give_the_exact_density(case: Case) -> None:
    if case.exact is None:
        return
    exact = [case.exact(case.fitted(), case.held_out.x)] * ROUNDS
    # The bias, of order Var(w) / 2K, is lost in the standard error.
    mean, error = difference(estimates(case, 512), exact)
    assert abs(mean) < 5 * error + 0.01


def test_no_draws_and_unknown_nodes_are_refused(case: Case) -> None:
    refuses(case.fitted().estimate_log_prob, case)
