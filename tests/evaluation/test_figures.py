import json
import math

import pytest
import torch

from ancestral.evaluation.figures import Figure, figures_to_json
from ancestral.evaluation.measures.estimate import Estimate, mean_of, ratio_of


def test_json_has_the_fixed_names_and_comes_back() -> None:
    figure = Figure(1.5, 0.25, "share", "estimate", floor=0.5, p_value=0.01)
    shown = figure.to_json()
    assert list(shown) == ["value", "se", "unit", "kind", "floor", "p_value"]
    assert Figure.from_json(json.loads(json.dumps(shown))) == figure


def test_a_figure_without_floor_does_not_show_one() -> None:
    assert Figure(1.0, None, "nats", "exact").to_json() == {
        "value": 1.0,
        "se": None,
        "unit": "nats",
        "kind": "exact",
    }


def test_a_figure_that_a_model_cannot_give_is_null() -> None:
    shown = figures_to_json({"log_prob": None, "elbo": Figure(0.0, 0.0, "nats", "bound")})
    assert shown["log_prob"] is None
    assert shown["elbo"] is not None
    assert shown["elbo"]["value"] == 0.0


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_json_cannot_hold_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="value of a figure must be finite"):
        Figure(number, 0.1, "nats", "exact")
    with pytest.raises(ValueError, match="se of a figure must be finite"):
        Figure(0.0, number, "nats", "exact")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of"):
        Figure(0.0, None, "nats", "guess")  # pyright: ignore[reportArgumentType]


def test_the_error_of_a_difference_on_the_same_examples_is_that_of_its_own_mean() -> None:
    first, size = torch.randn(2, 40, generator=torch.Generator().manual_seed(0)).double()
    second, size = first + 0.1 * size, 1 + size.square()

    def figure(found: Estimate) -> Figure:
        return Figure(found.value, found.se, "nats", "exact", deviations=found.deviations)

    for measure in (mean_of, lambda values: ratio_of(values, size)):
        one, other = figure(measure(first)), figure(measure(second))
        expected = measure(first - second)
        assert one.value - other.value == pytest.approx(expected.value, rel=1e-12)
        assert one.error_of_difference(other) == pytest.approx(expected.se, rel=1e-12)
        assert one.error_of_difference(one) == 0
        assert one.se is not None
        alone = Figure(other.value, one.se, "nats", "exact")
        assert one.error_of_difference(alone) == pytest.approx(one.se * math.sqrt(2))
    assert figure(mean_of(first)) == figure(mean_of(first))
