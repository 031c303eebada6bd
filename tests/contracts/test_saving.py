import torch
from safetensors.torch import load, save
from tests.contracts.models import Case, every_case
from torch import Generator, nn

from ancestral.capabilities import Classifies, HasBound, HasDensity, Samples

pytestmark = every_case


def through_a_file(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the state as safetensors gives it back; it refuses memory that is shared."""
    return load(save({name: value.contiguous() for name, value in model.state_dict().items()}))


def answers(model: nn.Module, case: Case) -> dict[str, torch.Tensor]:
    x, given = case.held_out.x, case.held_out.given or None
    found = {}
    if isinstance(model, Samples):
        found["sample"] = model.sample(9, generator=Generator().manual_seed(0))
    if isinstance(model, Classifies):
        found["posterior"] = model.posterior(x).logits
    if isinstance(model, HasDensity):
        found["log_prob"] = model.log_prob(x, given=given)
    if isinstance(model, HasBound):
        found["elbo"] = model.elbo(x, given=given, generator=Generator().manual_seed(0))
    return found


def test_a_fresh_model_takes_over_all_of_a_saved_one(case: Case) -> None:
    model = case.fitted()
    with torch.no_grad():
        before = answers(model, case)
        torch.manual_seed(99)  # Other initial weights than the saved model's.
        fresh = case.build()
        fresh.load_state_dict(through_a_file(model))
        after = answers(fresh, case)
    for name, value in before.items():
        assert torch.equal(value, after[name]), name


def test_the_state_depends_on_nothing_else(case: Case) -> None:
    first, second = case.fitted().state_dict(), through_a_file(case.fitted())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_repr_names_the_class(case: Case) -> None:
    for model in (case.fresh(), case.fitted()):
        assert type(model).__name__ in repr(model)
