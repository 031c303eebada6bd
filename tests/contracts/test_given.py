"""What is given has a row for each example, or is one for all: nothing else, anywhere."""

from collections.abc import Callable

import pytest
import torch
from tests.contracts.models import CASES, Case, cases, every_case
from torch import Generator, Tensor

from ancestral.capabilities import Encodes, HasBound, HasDensity, Samples, SamplesMeans, Tightens

ROWS = 5


def value(event: tuple[int, ...], *lead: int) -> Tensor:
    return torch.zeros((*lead, *event), dtype=None if event else torch.int64)


def methods(case: Case) -> dict[str, Callable[..., object]]:
    """Return what takes ``given`` of five examples, by name."""
    model, x = case.fitted(), case.held_out.x[:ROWS]
    found: dict[str, Callable[..., object]] = {}
    if isinstance(model, Samples):
        found["sample"] = lambda given: model.sample(ROWS, given=given)
    if isinstance(model, SamplesMeans):
        found["sample_means"] = lambda given: model.sample_means(ROWS, given=given)
    if isinstance(model, HasDensity):
        found["log_prob"] = lambda given: model.log_prob(x, given=given)
    if isinstance(model, HasBound):
        found["elbo"] = lambda given: model.elbo(x, given=given)
    if isinstance(model, Tightens):
        found["estimate_log_prob"] = lambda given: model.estimate_log_prob(x, given=given, draws=2)
    if isinstance(model, Encodes):
        known = {name: value[:ROWS] for name, value in case.held_out.given.items()}
        z = model.encode(x, given=known or None).mean
        found["encode"] = lambda given: model.encode(x, given=given)
        found["decode"] = lambda given: model.decode(z, given=given)
    return found


@every_case
def test_any_other_number_of_rows_is_refused_by_name(case: Case) -> None:
    for name, event in case.holds.items():
        for method, call in methods(case).items():
            if method not in ("sample", "sample_means") and name not in case.held_out.given:
                continue
            for lead in ((3,), (1,), (ROWS, 1), (ROWS + 1,)):
                with pytest.raises(ValueError, match=rf"'{name}'.*\[{lead[0]}"):
                    call({name: value(event, *lead)})


@pytest.mark.parametrize("method", ["log_prob"])
@cases("density")
def test_a_component_that_conditions_the_density_is_counted_too(case: Case, method: str) -> None:
    if case.holds.get("z") == () and case.name != "bayes-net":
        with pytest.raises(ValueError, match=r"'z' must have shape \[\] or \[5\], got \[3\]"):
            methods(case)[method]({"z": value((), 3)})


@cases("samples")
def test_one_value_is_for_all_draws(case: Case) -> None:
    for name, event in case.holds.items():
        draws = [
            case.fitted().sample(
                ROWS, given={name: value(event, *lead)}, generator=Generator().manual_seed(0)
            )
            for lead in ((), (ROWS,))
        ]
        assert torch.equal(*draws)


def test_every_way_to_give_something_is_covered() -> None:
    covered = {method for case in CASES if case.holds for method in methods(case)}
    assert len(covered) == 7
