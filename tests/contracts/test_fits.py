import pytest
import torch
from tests.contracts.models import Case, cases
from torch import Generator, nn

from ancestral.capabilities import Samples

pytestmark = cases("fits")


def fit(model: nn.Module, case: Case, n: int, seed: int) -> nn.Module:
    batch = case.data(n, seed)
    return model.fit(batch.x, given=batch.given or None, generator=Generator().manual_seed(7))


def test_fit_returns_the_model_itself(case: Case) -> None:
    model = case.fresh()
    assert fit(model, case, 40, 0) is model


@pytest.mark.bits
def test_a_second_fit_starts_over(case: Case) -> None:
    twice = fit(fit(case.fresh(), case, 40, 0), case, 60, 2).state_dict()
    once = fit(case.fresh(), case, 60, 2).state_dict()
    assert twice.keys() == once.keys()
    for name, value in once.items():
        assert torch.equal(twice[name], value), name


def test_a_generator_leaves_the_global_state_alone(case: Case) -> None:
    model = case.fresh()
    before = torch.get_rng_state()
    fit(model, case, 40, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_the_data_can_be_overwritten_after_fitting(case: Case) -> None:
    batch = case.data(40, 0)
    model = case.fresh().fit(batch.x, given=batch.given or None)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batch.x.zero_()
    for value in batch.given.values():
        value.zero_()
    for name, value in model.state_dict().items():
        assert torch.equal(before[name], value), name


def test_data_with_gradients_leave_no_graph(case: Case) -> None:
    if case.states:
        pytest.skip("states have no gradient")
    batch = case.data(40, 0)
    model = case.fresh().fit(batch.x.requires_grad_(), given=batch.given or None)
    assert not any(value.requires_grad for value in model.buffers())
    assert not isinstance(model, Samples) or not model.sample(3).requires_grad
