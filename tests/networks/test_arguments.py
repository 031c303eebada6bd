"""What is no number, no weight and no value is refused at every door, in one line."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from ancestral.errors import AncestralError, DataError, InferenceError
from ancestral.networks import (
    BayesianNetwork,
    Inference,
    LinearGaussian,
    Node,
    fit_linear_gaussian,
    gaussian_query,
    student_network,
)
from ancestral.networks.arguments import check_number, check_whole, non_negative, to_numpy
from ancestral.networks.exact import expected_counts
from ancestral.networks.learning import (
    bic,
    family_score,
    fit_em,
    fit_tables,
    from_summaries,
    hill_climb,
    summarize,
)

STUDENT = student_network()
INFERENCE = Inference(STUDENT)
ROWS = {name: np.array([0, 1, 1]) for name in STUDENT.nodes}
TWO = BayesianNetwork(
    [Node("x", LinearGaussian()), Node("y", LinearGaussian([1.0]), parents=("x",))]
)
NOT_WEIGHTS = [
    [1, 1],
    [1, -1, 1],
    [1, math.nan, 1],
    [1, math.inf, 1],
    ["1", "1", "1"],
    [[1], [1, 2]],
    1.0,
]


@pytest.mark.parametrize("weigh", [summarize, expected_counts])
@pytest.mark.parametrize("weights", NOT_WEIGHTS)
def test_weights_are_finite_and_not_negative(weigh: Callable, weights: ArrayLike) -> None:
    rule = "weights must be 3 finite numbers of at least 0, got"
    with pytest.raises((ValueError, InferenceError), match=rule) as caught:
        weigh(STUDENT, ROWS, weights=weights)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weigh", [summarize, lambda *a, **k: expected_counts(*a, **k)[0]])
@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_weights_of_every_kind_count(weigh: Callable, kind: Callable) -> None:
    found = weigh(STUDENT, ROWS, weights=kind([0.5, 2.0, 0.0]))
    tables = getattr(found, "tables", found)
    assert tables["x1"].tolist() == [0.5, 2.0]


@pytest.mark.parametrize("wrong", [["1", "0"], [-1, 1], [math.nan, 1], [0, 0], [1], [math.inf, 1]])
def test_a_likelihood_is_finite_and_not_all_zero(wrong: ArrayLike) -> None:
    for ask in (INFERENCE.query, INFERENCE.log_evidence):
        with pytest.raises(InferenceError, match="the likelihood of 'x1' must be 2 finite numbers"):
            ask(likelihood={"x1": wrong})
    exact = INFERENCE.query(["x2"], likelihood={"x1": torch.tensor([1.0, 0.0])})
    known = INFERENCE.query(["x2"], given={"x1": 0}).probabilities["x2"]
    assert exact.probabilities["x2"] == pytest.approx(known, rel=1e-14)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_pseudo_counts_are_finite(wrong: float) -> None:
    calls: list[Callable] = [
        lambda: from_summaries(summarize(STUDENT, ROWS), pseudo_count=wrong),
        lambda: fit_tables(STUDENT, ROWS, equivalent_sample_size=wrong),
        lambda: fit_em(STUDENT, ROWS, pseudo_count=wrong),
        lambda: hill_climb(ROWS, score="bdeu", equivalent_sample_size=wrong),
        lambda: family_score(np.ones((2, 2)), score="bdeu", equivalent_sample_size=wrong),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"must be (finite|at least 0|above 0), got {wrong}"):
            call()


@pytest.mark.parametrize("value", [math.nan, math.inf, torch.tensor([0.0, math.nan]), "one"])
def test_gaussian_evidence_is_finite(value: object) -> None:
    with pytest.raises(InferenceError, match=r"the evidence of 'y' must be (finite|numbers), got"):
        gaussian_query(TWO, ["x"], given={"y": value})


def test_batches_of_gaussian_evidence_broadcast() -> None:
    network = BayesianNetwork([*TWO.nodes.values(), Node("z", LinearGaussian())])
    given = {"y": torch.zeros(3), "z": torch.zeros(2)}
    with pytest.raises(InferenceError, match=r"must broadcast, got y \[3\], z \[2\]"):
        gaussian_query(network, ["x"], given=given)


@pytest.mark.parametrize(
    "columns",
    [
        {"x": torch.tensor(1.0), "y": torch.ones(5)},
        {"x": torch.arange(5.0), "y": torch.tensor(1.0)},
        {"x": torch.arange(5.0), "y": torch.ones(5, 1)},
        {"x": torch.arange(5.0), "y": torch.full((5,), math.nan)},
    ],
)
def test_columns_of_a_gaussian_fit_are_rows_of_numbers(columns: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match=r"column '[xy]' must be (5|N) finite numbers, got"):
        fit_linear_gaussian(TWO, columns)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1.0, 1e12, 1e200])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_gaussian_fit_does_not_depend_on_units(scale: float, offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 200, generator=generator, dtype=torch.float64)
    y = 2 * x + 0.1 * noise
    plain = fit_linear_gaussian(TWO, {"x": x, "y": y}).nodes
    moved = {"x": (x + offset) * scale, "y": (y + offset) * scale}
    found = fit_linear_gaussian(TWO, moved).nodes
    # 1e6 takes six of sixteen digits.
    close = {"rtol": 1e-8 if offset else 1e-12, "atol": 0.0}
    for name in "xy":
        ours, theirs = found[name].conditional, plain[name].conditional
        assert isinstance(ours, LinearGaussian)
        assert isinstance(theirs, LinearGaussian)
        torch.testing.assert_close(ours.weight, theirs.weight, **close)
        shift = ours.log_scale - math.log(scale)
        torch.testing.assert_close(shift, theirs.log_scale, rtol=0.0, atol=1e-8)


def test_small_noise_on_a_large_mean_is_not_constant() -> None:
    x = 1e6 + 1e-7 * torch.randn(500, dtype=torch.float64)
    found = fit_linear_gaussian({"x": ()}, {"x": x}).nodes["x"].conditional
    assert isinstance(found, LinearGaussian)
    assert found.log_scale.exp().item() == pytest.approx(float(x.std(correction=0)), rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 1e200, 1e-300])
def test_a_constant_column_is_refused_at_every_scale(value: float) -> None:
    x = torch.full((101,), value, dtype=torch.float64)
    with pytest.raises(ValueError, match="must vary around its mean, it is constant"):
        fit_linear_gaussian({"x": ()}, {"x": x})
    z = value + torch.arange(101.0, dtype=torch.float64) * max(abs(value), 1e-300)
    with pytest.raises(ValueError, match="it is a linear function of its parents"):
        fit_linear_gaussian({"x": (), "y": ("x",)}, {"x": z, "y": 3 * z})


def test_bic_needs_a_row() -> None:
    none = {name: column[:0] for name, column in ROWS.items()}
    with pytest.raises(DataError, match="a criterion needs at least 1 row, got 0"):
        bic(STUDENT, none)


def test_arrays_come_from_anywhere() -> None:
    assert to_numpy(torch.ones(2, requires_grad=True)).tolist() == [1, 1]
    with pytest.raises(AncestralError, match="w must be 2 x 1 finite numbers"):
        non_negative("w", [1, 2], (2, 1), error=DataError)


@pytest.mark.parametrize(
    ("value", "rule", "limits"),
    [
        (-0.5, "at least 0, got -0.5", {}),
        (0, "above 0, got 0", {"above": True}),
        (2, "at least 3, got 2", {"least": 3}),
        (math.nan, "finite, got nan", {}),
        (math.inf, "finite, got inf", {}),
        (math.nan, "finite, got nan", {"finite": False}),
        (True, "a number, got True", {}),
        ("1", "a number, got '1'", {}),
        (None, "a number, got None", {}),
    ],
)
def test_numbers_are_refused_by_name_and_rule(value: object, rule: str, limits: dict) -> None:
    with pytest.raises(ValueError, match=f"^alpha must be {rule}$"):
        check_number("alpha", value, **limits)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(2), np.int64(3), -0.0])
def test_numbers_of_every_kind_pass(value: object) -> None:
    check_number("alpha", value)


@pytest.mark.parametrize(
    ("value", "rule"),
    [(0, "at least 1, got 0"), (1.0, "a whole number, got 1.0"), (True, "a whole number, got")],
)
def test_counts_are_whole(value: object, rule: str) -> None:
    check_whole("draws", np.int32(1))
    with pytest.raises(ValueError, match=f"draws must be {rule}"):
        check_whole("draws", value)


def test_an_infinite_number_passes_where_it_has_a_meaning() -> None:
    check_number("C", math.inf, finite=False)
