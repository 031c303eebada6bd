import itertools
import math

import numpy as np
import pytest
import torch
from sklearn import naive_bayes as peers
from torch import Generator, Tensor

from ancestral.classic.families import Bernoullis, Categoricals, DiagonalGaussians, Multinomials
from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.errors import CapabilityError, DataError
from ancestral.networks import query

LABELS = 3


def labels(n: int) -> Tensor:
    return torch.cat((torch.arange(LABELS), torch.randint(LABELS, (n - LABELS,))))


def test_gaussian_posteriors_equal_sklearn() -> None:
    label = labels(200)
    x = torch.randn(200, 5, dtype=torch.float64) * torch.arange(1, 6) + label[:, None]
    model = NaiveBayes(DiagonalGaussians(LABELS, 5)).fit(x, given={"label": label})
    peer = peers.GaussianNB().fit(x, label)
    want = torch.from_numpy(peer.predict_log_proba(x.numpy()))
    torch.testing.assert_close(model.posterior(x).logits, want, rtol=0, atol=1e-8)
    joint = torch.from_numpy(peer.predict_joint_log_proba(x.numpy()))
    torch.testing.assert_close(model.log_joint(x), joint, rtol=0, atol=1e-8)


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_discrete_posteriors_equal_sklearn(smoothing: float) -> None:
    label = labels(300)
    bits = (torch.rand(300, 6) < 0.2 + 0.2 * label[:, None]).double()
    sizes = (2, 5, 3)
    categories = torch.stack([torch.randint(size, (300,)) for size in sizes], dim=1)
    counts = torch.poisson(1.0 + label[:, None] * torch.rand(300, 6)).double()
    setting = {"alpha": smoothing, "force_alpha": True}
    for family, peer, x in (
        (Bernoullis(LABELS, 6, smoothing=smoothing), peers.BernoulliNB(**setting), bits),
        (
            Categoricals(LABELS, sizes, smoothing=smoothing),
            peers.CategoricalNB(min_categories=np.array(sizes), **setting),
            categories,
        ),
        (Multinomials(LABELS, 6, smoothing=smoothing), peers.MultinomialNB(**setting), counts),
    ):
        model = NaiveBayes(family).fit(x, given={"label": label})
        want = torch.from_numpy(peer.fit(x.numpy(), label.numpy()).predict_log_proba(x.numpy()))
        torch.testing.assert_close(model.posterior(x).logits, want, rtol=0, atol=1e-8)


def test_the_posterior_is_the_generic_query_of_the_network() -> None:
    label = labels(80)
    x = torch.stack([torch.randint(size, (80,)) for size in (2, 4, 3)], dim=1)
    model = NaiveBayes(Categoricals(LABELS, (2, 4, 3))).fit(x, given={"label": label})
    network = model.network
    assert network.graph.edges == (("label", "x0"), ("label", "x1"), ("label", "x2"))
    for row in x[:10]:
        evidence = {f"x{d}": int(value) for d, value in enumerate(row)}
        answer = query(network, ["label"], given=evidence)
        want = torch.tensor(list(answer.probabilities["label"].values()), dtype=torch.float64)
        torch.testing.assert_close(model.posterior(row[None]).probs[0], want, rtol=0, atol=1e-12)
        assert model.log_prob(row[None]).item() == pytest.approx(answer.log_evidence, abs=1e-12)


def test_ten_thousand_columns_do_not_underflow() -> None:
    label = labels(40)
    x = (torch.rand(40, 10_000) < 0.3 + 0.2 * label[:, None]).double()
    model = NaiveBayes(Bernoullis(LABELS, 10_000)).fit(x, given={"label": label})
    value = model.log_prob(x)
    assert value.isfinite().all()
    assert value.max() < -2000  # Far below the smallest float64, e^-745.
    logits = model.posterior(x).logits
    want = peers.BernoulliNB().fit(x.numpy(), label.numpy()).predict_log_proba(x.numpy())
    # Sums of 10^4 terms of size 1: rounding is 10^4 times 1e-16 of a sum near 10^4.
    torch.testing.assert_close(logits, torch.from_numpy(want), rtol=0, atol=1e-8)
    assert torch.equal(logits.argmax(1), label)


def test_the_discrete_density_sums_to_one() -> None:
    x = torch.stack([torch.randint(size, (50,)) for size in (2, 3, 2)], dim=1)
    model = NaiveBayes(Categoricals(LABELS, (2, 3, 2))).fit(x, given={"label": labels(50)})
    every = torch.tensor(list(itertools.product(range(2), range(3), range(2))))
    assert model.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-12)
    joint = model.log_prob(every, given={"label": torch.tensor(1)}).exp().sum().item()
    assert joint == pytest.approx(1, abs=1e-12)


def test_draws_have_the_frequencies_of_the_model() -> None:
    x = torch.stack([torch.randint(size, (50,)) for size in (2, 3)], dim=1)
    model = NaiveBayes(Categoricals(LABELS, (2, 3))).fit(x, given={"label": labels(50)})
    draws = model.sample(20_000, generator=Generator().manual_seed(0))
    assert draws.dtype == torch.float64
    for row in itertools.product(range(2), range(3)):
        want = model.log_prob(torch.tensor([row])).exp().item()
        got = (draws == torch.tensor(row)).all(dim=1).double().mean().item()
        assert got == pytest.approx(want, abs=5 * math.sqrt(want * (1 - want) / 20_000))


def test_a_label_can_be_given_to_draws() -> None:
    label = labels(100)
    x = torch.randn(100, 2) + 100 * label[:, None]
    model = NaiveBayes(DiagonalGaussians(LABELS, 2)).fit(x, given={"label": label})
    wanted = torch.arange(60) % LABELS
    draws = model.sample(60, given={"label": wanted})
    assert torch.equal(model.posterior(draws).probs.argmax(1), wanted)
    counts = NaiveBayes(Multinomials(2, 3, total=7)).sample(9, given={"label": torch.tensor(1)})
    assert torch.equal(counts.sum(1), torch.full((9,), 7.0, dtype=torch.float64))


def test_mistakes_are_named() -> None:
    model = NaiveBayes(DiagonalGaussians(2, 2))
    x = torch.randn(4, 2)
    with pytest.raises(ValueError, match="given must have the label of each row"):
        model.fit(x)
    with pytest.raises(ValueError, match="label must be from 0 to 1, got 2"):
        model.fit(x, given={"label": torch.tensor([0, 1, 2, 0])})
    with pytest.raises(ValueError, match=r"given 'label' must have shape \[\] or \[4\]"):
        model.fit(x, given={"label": torch.tensor([0, 1])})
    with pytest.raises(CapabilityError, match="cannot be conditioned on 'z'"):
        model.log_prob(x, given={"z": torch.tensor(0)})
    with pytest.raises(DataError, match="at least 1 row"):
        model.fit(x[:0], given={"label": torch.zeros(0)})
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        model.sample(0)
