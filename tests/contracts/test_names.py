import pytest
from tests.contracts.models import CASES, Case, every_case

from ancestral.capabilities import CAPABILITIES

METHODS = {
    "density": ["log_prob"],
    "bound": ["elbo"],
    "tightens": ["estimate_log_prob"],
    "means": ["sample_means"],
    "classifies": ["posterior"],
}


@every_case
def test_a_model_has_the_capabilities_that_its_line_says(case: Case) -> None:
    for model in (case.fresh(), case.fitted()):
        able = {name for name, protocol in CAPABILITIES.items() if isinstance(model, protocol)}
        assert able == set(case.can.split())


@every_case
@pytest.mark.parametrize("capability", METHODS)
def test_a_model_without_a_capability_has_none_of_its_methods(case: Case, capability: str) -> None:
    if capability not in case.can.split():
        assert not any(hasattr(case.fitted(), method) for method in METHODS[capability])


def test_every_capability_has_a_model_and_names_differ() -> None:
    # Language models have a suite of their own, tests/autoregressive/test_states.py.
    found = {name for case in CASES for name in case.can.split()}
    assert found | {"language"} == set(CAPABILITIES)
    assert len({case.name for case in CASES}) == len(CASES)
