import pytest
import torch

from ancestral.classic import (
    HMM,
    KDE,
    Bernoullis,
    CategoricalEmissions,
    GaussianMixture,
    LinearRegression,
    NaiveBayes,
)
from ancestral.errors import InferenceError


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
