"""What tests/contracts asks of models of vectors, asked of models of sequences."""

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Fits, HasDensity, HasGraph, Samples
from ancestral.classic import (
    HMM,
    CategoricalEmissions,
    DiagonalGaussianEmissions,
    GaussianEmissions,
    MarkovChain,
    NGram,
)


def symbols(seed: int) -> Tensor:
    return torch.randint(3, (12, 9), generator=Generator().manual_seed(seed))


def vectors(seed: int) -> Tensor:
    noise = torch.randn(12, 9, 2, generator=Generator().manual_seed(seed))
    return noise + 3 * symbols(seed)[:, :, None]


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Tensor]]] = {
    "markov-0": (lambda: MarkovChain(3, order=0), symbols),
    "markov-2": (lambda: MarkovChain(3, order=2), symbols),
    "ngram": (lambda: NGram(3, order=3), symbols),
    "hmm": (lambda: HMM(CategoricalEmissions(2, symbols=3), iterations=5), symbols),
    "hmm-full": (lambda: HMM(GaussianEmissions(2, features=2), iterations=5), vectors),
    "hmm-diagonal": (lambda: HMM(DiagonalGaussianEmissions(2, features=2), iterations=5), vectors),
}
every_case = pytest.mark.parametrize("name", CASES)


def fitted(name: str, seed: int = 0) -> nn.Module:
    build, data = CASES[name]
    return build().fit(data(seed), generator=Generator().manual_seed(7))


@every_case
def test_capabilities_are_there(name: str) -> None:
    model = CASES[name][0]()
    for protocol in (Samples, HasDensity, Fits, HasGraph):
        assert isinstance(model, protocol)
    assert len(model.graph["p"].names) >= 2


@every_case
def test_fit_starts_over_and_leaves_the_global_state_alone(name: str) -> None:
    build, data = CASES[name]
    before = torch.get_rng_state()
    model = build().fit(data(1))  # Not seeded: this one may draw.
    torch.set_rng_state(before)
    assert model.fit(data(0), generator=Generator().manual_seed(7)) is model
    assert torch.equal(before, torch.get_rng_state())
    for key, value in fitted(name).state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


@every_case
def test_the_data_can_be_overwritten_after_fitting(name: str) -> None:
    build, data = CASES[name]
    x = data(0)
    model = build().fit(x)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x.zero_()
    for key, value in model.state_dict().items():
        assert torch.equal(before[key], value), key


@every_case
def test_draws_repeat_under_a_generator_and_are_likely(name: str) -> None:
    model, data = fitted(name), CASES[name][1]
    before = torch.get_rng_state()
    draws = [model.sample(6, length=9, generator=Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(draws[0], draws[1])
    assert draws[0].shape == (6, *data(0).shape[1:])
    if name != "ngram":  # Whose draws end where they like.
        assert model.log_prob(draws[0]).isfinite().all()


@every_case
def test_log_prob_is_one_float64_number_a_sequence(name: str) -> None:
    model, x = fitted(name), CASES[name][1](3)
    found = model.log_prob(x)
    assert (found.shape, found.dtype) == ((12,), torch.float64)
    rows = torch.cat([model.log_prob(row[None]) for row in x])
    torch.testing.assert_close(found, rows, rtol=0, atol=1e-11)


@every_case
def test_saving_into_a_fresh_model(name: str) -> None:
    model, other = fitted(name), CASES[name][0]()
    other.load_state_dict(model.state_dict())
    x = CASES[name][1](4)
    assert torch.equal(model.log_prob(x), other.log_prob(x))
