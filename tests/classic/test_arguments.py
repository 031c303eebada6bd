from collections.abc import Callable

import numpy as np
import pytest
import torch

from ancestral.capabilities import Batch
from ancestral.classic import (
    HMM,
    KDE,
    Bernoullis,
    CategoricalEmissions,
    Categoricals,
    Classifier,
    DiagonalGaussians,
    GaussianMixture,
    LinearRegression,
    LogisticRegression,
    MixtureOf,
    Multinomials,
    NaiveBayes,
)
from ancestral.errors import DataError, InferenceError


def test_whole_numbers_get_the_densities_of_the_same_numbers_with_a_point() -> None:
    x = torch.randint(9, (29, 2))
    for model in (GaussianMixture(2, components=2), KDE(2), KDE(2, kernel="epanechnikov")):
        whole = model.fit(x, generator=torch.Generator().manual_seed(0)).log_prob(x)
        torch.testing.assert_close(whole, model.log_prob(x.double()))
    assert (KDE(2, kernel="epanechnikov").fit(x).log_prob(x + 100) == -torch.inf).all()
    line = LinearRegression(1).fit(torch.arange(4)[:, None], 0.5 * torch.arange(4))
    expected = 0.5 * torch.arange(3, dtype=torch.float64)
    torch.testing.assert_close(line(torch.arange(3)[:, None]).mean, expected)


def test_a_row_that_no_label_allows_is_refused() -> None:
    model = NaiveBayes(Bernoullis(2, 2, smoothing=0))
    model.fit(torch.zeros(4, 2), given={"label": torch.tensor([0, 1, 0, 1])})
    with pytest.raises(InferenceError, match="row 2 has probability 0 under every label"):
        model.posterior(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))


def test_what_stands_after_the_ends_is_not_read() -> None:
    model = HMM(CategoricalEmissions(2, symbols=3))
    model.fit(torch.tensor([[0, 1, 2], [1, 9, 9]]), lengths=torch.tensor([3, 1]))
    ends = torch.tensor([2])
    found = [model.log_prob(torch.tensor([[0, 1, x]]), lengths=ends) for x in (0, 99)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda value: KDE(2, bandwidth=value), "bandwidth"),
        (lambda value: Bernoullis(2, 2, smoothing=value), "smoothing"),
        (lambda value: DiagonalGaussians(2, 2, smoothing=value), "smoothing"),
        (lambda value: Multinomials(2, 2, smoothing=value), "smoothing"),
        (lambda value: LinearRegression(2, penalty=value), "penalty"),
        (lambda value: LogisticRegression(2, 2, penalty=value), "penalty"),
    ],
)
def test_a_number_is_a_number_and_finite(make: Callable[[object], object], message: str) -> None:
    for value in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"{message} must be finite, got {value}"):
            make(value)
    with pytest.raises(ValueError, match=rf"{message} must be a number, got \[1\]"):
        make([1])
    with pytest.raises(ValueError, match=f"{message} must be .* 0, got -1"):
        make(-1)


@pytest.mark.parametrize(
    "make",
    [
        lambda value: GaussianMixture(2, components=value),
        lambda value: LinearRegression(value),
        lambda value: Bernoullis(value, 2),
        lambda value: Categoricals(2, [value]),
        lambda value: Classifier((2,), 2, hidden=(value,)),
        lambda value: KDE(1).fit(torch.arange(3.0)[:, None]).sample(value),
    ],
)
def test_a_count_is_whole(make: Callable[[object], object]) -> None:
    with pytest.raises(ValueError, match=r"must be a whole number, got 2\.5"):
        make(2.5)
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        make(0)


def mixtures() -> list[GaussianMixture | MixtureOf[Bernoullis]]:
    return [GaussianMixture(2, components=3), MixtureOf(Bernoullis(3, 2))]


@pytest.mark.parametrize("model", mixtures(), ids=repr)
def test_a_given_component_is_one_of_them(model: GaussianMixture | MixtureOf[Bernoullis]) -> None:
    x = torch.ones(4, 2)
    for z, message in (
        (3, "z must be from 0 to 2, got 3"),
        (-1, "z must be from 0 to 2, got -1"),
        (float("nan"), "z must be from 0 to 2, got nan"),
        (0.5, "z must hold whole numbers, got 0.5"),
        ("a", "given 'z' must be numbers, got 'a'"),
        ([0, 1], r"given 'z' must have shape \[\] or \[4\], got \[2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            model.log_prob(x, given={"z": z})
        with pytest.raises(ValueError, match=message):
            model.sample(4, given={"z": z})
    whole = model.log_prob(x, given={"z": torch.tensor(2.0)})
    torch.testing.assert_close(whole, model.log_prob(x, given={"z": torch.full((4,), 2)}))


def test_a_label_is_whole() -> None:
    x, label = torch.randn(4, 2), torch.tensor([0.0, 1.0, 0.5, 1.0])
    with pytest.raises(ValueError, match=r"label must hold whole numbers, got 0\.5"):
        NaiveBayes(DiagonalGaussians(2, 2)).fit(x, given={"label": label})
    with pytest.raises(ValueError, match=r"label must hold whole numbers, got 0\.5"):
        LogisticRegression(2, 2).fit(x, given={"label": label})
    with pytest.raises(ValueError, match=r"label must hold whole numbers, got 0\.5"):
        Classifier((2,), 2).loss(Batch(x, {"label": label}))
    with pytest.raises(ValueError, match="label must be from 0 to 1, got 2"):
        Classifier((2,), 2).loss(Batch(x, {"label": torch.tensor([0, 1, 2, 1])}))


def test_weights_are_finite_and_not_negative() -> None:
    x, label = torch.randn(3, 2), torch.tensor([0, 1, 0])
    for weights, message in (
        (torch.ones(2), r"weights must have shape \[3\], got \[2\]"),
        (torch.tensor([1.0, -1.0, 1.0]), "weights must be finite and at least 0, got -1"),
        (torch.tensor([1.0, torch.nan, 1.0]), "weights must be finite and at least 0, got nan"),
        (torch.zeros(3), "weights must not all be 0"),
    ):
        for fit in (
            lambda w: NaiveBayes(DiagonalGaussians(2, 2)).fit(x, given={"label": label}, weights=w),
            lambda w: LinearRegression(2).fit(x, label, weights=w),
            lambda w: LogisticRegression(2, 2).fit(x, given={"label": label}, weights=w),
        ):
            with pytest.raises(ValueError, match=message):
                fit(weights)


def test_weights_repeat_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    label, weights = torch.arange(30) % 3, torch.arange(30) % 4
    again, labels = x.repeat_interleave(weights, 0), label.repeat_interleave(weights)
    fits = (
        LinearRegression(2, penalty=0.5).fit,
        lambda x, y, weights=None: LogisticRegression(2, 3).fit(
            x, given={"label": y}, weights=weights
        ),
    )
    for fit in fits:
        found = fit(x, label, weights=weights).state_dict()
        found = {name: value.clone() for name, value in found.items()}
        model = fit(again, labels)
        # The same sums in another order; the second is found by Newton's steps to rounding.
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, found[name], rtol=1e-7, atol=1e-8)


def test_what_is_no_number_has_no_posterior() -> None:
    x = torch.tensor([[0.0, 0.0], [torch.nan, 0.0]])
    for posterior in (
        NaiveBayes(DiagonalGaussians(2, 2)).posterior,
        GaussianMixture(2, components=2).responsibilities,
        MixtureOf(Multinomials(2, 2)).responsibilities,
    ):
        with pytest.raises(DataError, match="got NaN or infinity in row 2"):
            posterior(x)
    with pytest.raises(DataError, match="got NaN or infinity in row 1"):
        GaussianMixture(2, components=2).responsibilities(torch.full((1, 2), torch.inf))


def test_data_are_tensors_of_any_type() -> None:
    with pytest.raises(ValueError, match="x must be a tensor, got ndarray"):
        KDE(2).fit(np.zeros((3, 2)))
    bits = torch.tensor([[True, False], [False, False]])
    table = Categoricals(2, (2, 2))
    torch.testing.assert_close(table.log_prob(bits), table.log_prob(bits.long()))
    model = Classifier((2,), 2)
    torch.testing.assert_close(model(bits).logits, model(bits.double()).logits)


def test_starts_are_finite() -> None:
    bits = torch.ones(4, 2)
    with pytest.raises(ValueError, match="start must be finite and at least 0"):
        MixtureOf(Bernoullis(2, 2)).fit(bits, start=torch.full((4, 2), torch.nan))
    with pytest.raises(ValueError, match="means must be finite"):
        GaussianMixture(2, components=2).fit(bits, means=torch.full((2, 2), torch.inf))
    with pytest.raises(ValueError, match="family must be of tables, got DiagonalGaussians"):
        MixtureOf(DiagonalGaussians(2, 2))


def test_a_tolerance_is_a_number_and_below_0_runs_every_sweep() -> None:
    x = (torch.arange(12).reshape(6, 2) % 5 > 2).double()
    for make in (
        lambda tolerance: GaussianMixture(2, components=2, tolerance=tolerance, iterations=9),
        lambda tolerance: MixtureOf(Bernoullis(2, 2), tolerance=tolerance, iterations=9),
    ):
        with pytest.raises(ValueError, match="tolerance must be finite, got nan"):
            make(float("nan"))
        with pytest.raises(ValueError, match="tolerance must be a number, got 'a'"):
            make("a")
        assert len(make(-float("inf")).fit(x).history) == 9
