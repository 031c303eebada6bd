import pytest
import torch
from tests.contracts.models import Case, cases
from torch import Generator

from ancestral.errors import AncestralError

pytestmark = cases("samples")


def test_draws_have_the_shape_and_type_of_the_data(case: Case) -> None:
    event = case.held_out.x.shape[1:]
    for n in (1, 7):
        draws = case.fitted().sample(n)
        assert draws.shape == (n, *event)
        assert draws.is_floating_point() == case.held_out.x.is_floating_point()
        assert draws.isfinite().all()
        assert not draws.requires_grad


def test_a_seed_decides_the_draws(case: Case) -> None:
    draws = [
        case.fitted().sample(20, generator=Generator().manual_seed(seed)) for seed in (3, 3, 4)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_generator_leaves_the_global_state_alone(case: Case) -> None:
    model, before = case.fitted(), torch.get_rng_state()
    generator = Generator().manual_seed(0)
    first, second = (model.sample(20, generator=generator) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, second)  # The generator moved on.


def test_without_a_generator_the_global_seed_decides(case: Case) -> None:
    model, draws = case.fitted(), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        draws.append(model.sample(20))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.bits
def test_one_given_value_is_for_all_draws(case: Case) -> None:
    for name, values in case.held_out.given.items():
        single, every = (
            case.fitted().sample(9, given={name: given}, generator=Generator().manual_seed(0))
            for given in (values[0], values[0].expand(9))
        )
        assert torch.equal(single, every)


def test_no_draws_and_unknown_nodes_are_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        case.fitted().sample(0)
    with pytest.raises((ValueError, AncestralError), match="nonsense"):
        case.fitted().sample(2, given={"nonsense": torch.tensor(0)})
