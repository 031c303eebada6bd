"""Chains refuse what they cannot read, and read tensors from any device."""

import math

import pytest
import torch
from torch import Tensor

from ancestral.classic import (
    HMM,
    AddK,
    CategoricalEmissions,
    DiagonalGaussianEmissions,
    GaussianEmissions,
    MarkovChain,
    NGram,
    Tagger,
)
from ancestral.errors import DataError


class Away(Tensor):
    """A tensor whose memory numpy cannot see, as that of another device: only a copy can leave."""

    def numpy(self, **_: object) -> object:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, *_: object) -> object:
        return self.numpy()

    def cpu(self) -> Tensor:
        return self.as_subclass(Tensor)


def away(x: Tensor) -> Tensor:
    return x.as_subclass(Away)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_pseudo_counts_are_finite(wrong: float) -> None:
    x = torch.randint(2, (3, 4))
    with pytest.raises(ValueError, match=rf"k must be \w+( 0)?, got {wrong}"):
        AddK(wrong)
    with pytest.raises(ValueError, match=rf"alpha must be \w+( 0)?, got {wrong}"):
        Tagger(alpha=wrong)
    with pytest.raises(ValueError, match=f"alpha must be (at least 0|finite), got {wrong}"):
        MarkovChain(2, alpha=wrong)
    with pytest.raises(ValueError, match=f"alpha must be (at least 0|finite), got {wrong}"):
        HMM(CategoricalEmissions(2, symbols=2)).fit_supervised(x, x, alpha=wrong)


@pytest.mark.parametrize("lengths", [[4, 2.5, 1], [4.0, math.nan, 1.0], [4.0, 2.0, 1.0]])
def test_lengths_are_whole(lengths: list[float]) -> None:
    x = torch.randint(2, (3, 4))
    for model in (HMM(CategoricalEmissions(2, symbols=2)), MarkovChain(2), NGram(2)):
        with pytest.raises(DataError, match="lengths must hold whole numbers, got float"):
            model.fit(x, lengths=torch.tensor(lengths))


@pytest.mark.bits
def test_lengths_may_be_a_list() -> None:
    x = torch.randint(2, (3, 4))
    model = HMM(CategoricalEmissions(2, symbols=2)).fit(x)
    rows = [4, 2, 1]
    expected = model.log_prob(x, lengths=torch.tensor(rows))
    assert torch.equal(model.log_prob(x, lengths=rows), expected)
    for wrong in ([4, 2], [[4, 2, 1]]):
        with pytest.raises(ValueError, match=r"lengths must have shape \[3\]"):
            model.log_prob(x, lengths=wrong)


@pytest.mark.parametrize("empty", [torch.tensor([]), torch.tensor([], dtype=torch.int64), []])
def test_an_empty_part_is_a_sequence_that_ends_at_once(empty: Tensor) -> None:
    model = NGram(2, order=2, smoothing=AddK(1.0)).fit([empty, torch.tensor([0, 1])])
    # Of the two sequences one ends at once, one begins with 0: (1 + 1) / (2 + 3) each.
    assert model.probabilities(()).tolist() == pytest.approx([0.4, 0.2, 0.4])
    assert model.log_prob([empty]).item() == pytest.approx(math.log(0.4))
    with pytest.raises(DataError, match="at least 1 token, got none"):
        NGram(2, ends=False).fit([empty])
    with pytest.raises(DataError, match="at least 1 sequence"):
        NGram(2).fit([])


def test_a_part_that_is_no_sequence_is_refused() -> None:
    for part in (torch.tensor(1), torch.ones(2, 2, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"each sequence of a list must have shape \[T\]"):
            NGram(2).fit([part])


@pytest.mark.parametrize("kind", ["symbols", "diagonal", "full"])
def test_hidden_chains_read_tensors_of_other_devices(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    emissions = {
        "symbols": CategoricalEmissions(2, symbols=3),
        "diagonal": DiagonalGaussianEmissions(2, features=2),
        "full": GaussianEmissions(2, features=2),
    }[kind]
    x = torch.randint(3, (6, 5)) if kind == "symbols" else torch.randn(6, 5, 2).double()
    z, lengths = torch.randint(2, (6, 5)), torch.tensor([5, 4, 3, 2, 1, 5])
    model = HMM(emissions, iterations=3).fit(away(x), lengths=away(lengths), generator=generator)
    for module in model.modules():  # As after model.to("cuda").
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, away(buffer))
    model.refine(away(x), lengths=away(lengths))
    assert model.sample(3, length=2, generator=generator).shape[:2] == (3, 2)
    model.fit_supervised(away(x), away(z), lengths=away(lengths))
    for call in (model.log_prob, model.filter, model.smooth, model.most_likely_states):
        assert torch.equal(call(away(x), lengths=away(lengths)), call(x, lengths=lengths))


@pytest.mark.bits
def test_chains_read_tensors_of_other_devices() -> None:
    x, lengths = torch.randint(3, (6, 5)), torch.tensor([5, 4, 3, 2, 1, 5])
    for model in (MarkovChain(3), NGram(3)):
        model.fit(away(x), lengths=away(lengths))
        found = model.log_prob(away(x), lengths=away(lengths))
        assert torch.equal(found, model.log_prob(x, lengths=lengths))
    parts = [away(row) for row in x]
    assert torch.equal(NGram(3).fit(parts).log_prob(parts), NGram(3).fit(x).log_prob(x))
