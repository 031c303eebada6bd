import json
import math

import pytest

from ancestral.evaluation.figures import Figure, figures_to_json


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
