"""Any part of a row given any other: conditionals of one law, draws that hold what is known."""

import pytest
import torch
from tests.contracts.models import Case, cases
from torch import Generator

from ancestral.capabilities import Completes, HasDensity


@cases("completes")
def test_conditionals_add_up_to_one_whatever_is_known(case: Case) -> None:
    model = case.fitted()
    assert isinstance(model, Completes)
    x = case.held_out.x.clone()
    x[torch.rand(x.shape, generator=Generator().manual_seed(0)) < 0.5] = -1
    with torch.no_grad():
        for column, size in enumerate(case.states):
            log_p = model.conditional(x, column)
            assert log_p.shape == (len(x), size)
            torch.testing.assert_close(
                log_p.double().exp().sum(dim=1), torch.ones(len(x)).double(), atol=1e-5, rtol=0
            )


@cases("completes")
def test_the_column_itself_does_not_count_as_known(case: Case) -> None:
    model, x = case.fitted(), case.held_out.x
    with torch.no_grad():
        for column in range(len(case.states)):
            hidden = x.clone()
            hidden[:, column] = -1
            assert torch.equal(model.conditional(x, column), model.conditional(hidden, column))


@cases("completes")
def test_what_is_known_stays_and_the_rest_is_drawn(case: Case) -> None:
    model, x = case.fitted(), case.held_out.x
    hidden = torch.rand(x.shape, generator=Generator().manual_seed(0)) < 0.5
    with torch.no_grad():
        filled = model.complete(x.masked_fill(hidden, -1), generator=Generator().manual_seed(1))
        again = model.complete(x.masked_fill(hidden, -1), generator=Generator().manual_seed(1))
        least = [1] * len(case.states)
        above = model.complete(torch.full_like(x, -1), least=least)
    assert torch.equal(filled[~hidden], x[~hidden])
    assert torch.equal(filled, again)
    assert int(filled.min()) >= 0
    assert int(above.min()) >= 1


@cases("completes")
def test_the_last_conditional_is_that_of_the_density(case: Case) -> None:
    model, x = case.fitted(), case.held_out.x[:8]
    if not isinstance(model, HasDensity):
        pytest.skip("no density")
    last, size = len(case.states) - 1, case.states[-1]
    with torch.no_grad():
        each = x.repeat_interleave(size, dim=0)
        each[:, last] = torch.arange(size).repeat(len(x))
        joint = model.log_prob(each).view(len(x), size).double()
        found = model.conditional(x, last).double()
    torch.testing.assert_close(found, joint.log_softmax(dim=1), atol=1e-5, rtol=1e-5)
