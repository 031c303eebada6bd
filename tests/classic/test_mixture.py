import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ancestral.classic.families import Bernoullis, Categoricals, Multinomials
from ancestral.classic.mixture import MixtureOf
from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.errors import CapabilityError, ConfigError, DataError
from ancestral.networks import query


def bits(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return rows of two patterns with a tenth of the bits turned, and which pattern it was."""
    generator = Generator().manual_seed(seed)
    which = torch.randint(2, (n,), generator=generator)
    patterns = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 0, 1]])
    turned = torch.rand(n, 8, generator=generator) < 0.1
    return (patterns[which] ^ turned).double(), which


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    components=st.integers(1, 6),
    smoothing=st.sampled_from([0.0, 0.3, 1.0]),
    kind=st.sampled_from(["bits", "categories", "counts"]),
)
def test_the_objective_never_decreases(
    seed: int, components: int, smoothing: float, kind: str
) -> None:
    generator = Generator().manual_seed(seed)
    family = {
        "bits": Bernoullis(components, 4, smoothing=smoothing),
        "categories": Categoricals(components, (2,) * 4, smoothing=smoothing),
        "counts": Multinomials(components, 4, smoothing=smoothing),
    }[kind]
    x = torch.randint(2, (30, 4), generator=generator).double()
    model = MixtureOf(family, tolerance=0.0, iterations=80, restarts=1).fit(x, generator=generator)
    assert bool((torch.tensor(model.history, dtype=torch.float64).diff() > -1e-10).all())
    if smoothing == 0:
        assert model.history[-1] == pytest.approx(model.log_prob(x).mean().item(), abs=1e-12)


def test_responsibilities_are_the_generic_query_of_the_network() -> None:
    x = torch.stack([torch.randint(size, (60,), generator=seeded(2)) for size in (2, 3, 4)], 1)
    model = MixtureOf(Categoricals(3, (2, 3, 4)), iterations=20).fit(x, generator=seeded())
    for row in x[:10]:
        evidence = {f"x{d}": int(value) for d, value in enumerate(row)}
        answer = query(model.network, ["z"], given=evidence)
        want = torch.tensor(list(answer.probabilities["z"].values()), dtype=torch.float64)
        torch.testing.assert_close(model.responsibilities(row[None])[0], want, rtol=0, atol=1e-12)
        assert model.log_prob(row[None]).item() == pytest.approx(answer.log_evidence, abs=1e-12)


def test_one_step_is_the_textbook_step() -> None:
    x, _ = bits(50)
    start = torch.rand(50, 2, dtype=torch.float64, generator=seeded())
    start = start / start.sum(1, keepdim=True)
    model = MixtureOf(Bernoullis(2, 8, smoothing=0), iterations=1).fit(x, start=start)
    totals = start.sum(0)
    torch.testing.assert_close(model.weights, totals / 50)
    torch.testing.assert_close(model.family.probabilities, start.T @ x / totals[:, None])


def test_a_known_label_gives_naive_bayes() -> None:
    x, which = bits(80)
    hard = torch.nn.functional.one_hot(which).double()
    mixture = MixtureOf(Bernoullis(2, 8), iterations=1).fit(x, start=hard)
    bayes = NaiveBayes(Bernoullis(2, 8)).fit(x, given={"label": which})
    torch.testing.assert_close(mixture.responsibilities(x), bayes.posterior(x).probs)
    torch.testing.assert_close(mixture.log_prob(x), bayes.log_prob(x))


def test_patterns_are_found() -> None:
    x, which = bits(500)
    model = MixtureOf(Bernoullis(2, 8)).fit(x, generator=seeded())
    found = model.responsibilities(x).argmax(1)
    agreement = (found == which).double().mean().item()
    assert max(agreement, 1 - agreement) > 0.95
    alone = MixtureOf(Bernoullis(1, 8)).fit(x)
    assert model.log_prob(x).mean() > alone.log_prob(x).mean() + 0.5


def test_one_component_is_the_family_itself_and_all_sums_to_one() -> None:
    x, _ = bits(100)
    model = MixtureOf(Bernoullis(1, 8, smoothing=0)).fit(x)
    torch.testing.assert_close(model.family.probabilities[0], x.mean(0))
    two = MixtureOf(Bernoullis(2, 8)).fit(x, generator=seeded())
    every = torch.tensor(list(itertools.product((0, 1), repeat=8)))
    assert two.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_draws_have_the_frequencies_of_the_mixture() -> None:
    x, _ = bits(200)
    model = MixtureOf(Bernoullis(2, 8)).fit(x, generator=seeded())
    draws = model.sample(20_000, generator=seeded())
    rate = model.weights @ model.family.probabilities
    # The standard error of a frequency is at most 0.5 / sqrt(20,000) = 0.0035.
    torch.testing.assert_close(draws.mean(0), rate, rtol=0, atol=5 * 0.0035)
    one = model.sample(20_000, given={"z": torch.tensor(1)}, generator=seeded())
    torch.testing.assert_close(one.mean(0), model.family.probabilities[1], rtol=0, atol=5 * 0.0035)


@pytest.mark.bits
def test_seeds_decide_and_restarts_keep_the_best() -> None:
    x, _ = bits(100)
    twice = [MixtureOf(Bernoullis(3, 8)).fit(x, generator=seeded(5)).log_prob(x) for _ in range(2)]
    assert torch.equal(*twice)
    one = MixtureOf(Bernoullis(5, 8), restarts=1).fit(x, generator=seeded(5))
    more = MixtureOf(Bernoullis(5, 8), restarts=6).fit(x, generator=seeded(5))
    assert more.history[-1] >= one.history[-1]


def test_mistakes_are_named() -> None:
    x, _ = bits(10)
    with pytest.raises(ConfigError, match="components must be at most the number of examples, 10"):
        MixtureOf(Bernoullis(11, 8)).fit(x)
    with pytest.raises(ValueError, match=r"start must have shape \[10, 2\], got \[3, 2\]"):
        MixtureOf(Bernoullis(2, 8)).fit(x, start=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="restarts must be at least 1, got 0"):
        MixtureOf(Bernoullis(2, 8), restarts=0)
    with pytest.raises(DataError, match="0 or 1"):
        MixtureOf(Bernoullis(2, 8)).fit(x + 1)
    with pytest.raises(CapabilityError, match="cannot be conditioned on 'label'"):
        MixtureOf(Bernoullis(2, 8)).sample(2, given={"label": torch.tensor(0)})
