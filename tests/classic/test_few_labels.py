import pytest
import torch
from sklearn.datasets import load_digits
from torch import Generator, Tensor

from ancestral.classic import DiagonalGaussians, NaiveBayes, fit_few_labels


def clusters(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Three round clusters in the plane, 4 apart."""
    label = torch.arange(n) % 3
    middles = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]).double()
    noise = torch.randn(n, 2, generator=Generator().manual_seed(seed)).double()
    return middles[label] + noise, label


def naive_bayes(states: int = 3, features: int = 2, smoothing: float = 0.1) -> NaiveBayes:
    return NaiveBayes(DiagonalGaussians(states, features, smoothing=smoothing))


def test_without_weight_it_is_the_fit_of_the_labelled() -> None:
    x, label = clusters(30, 0)
    alone = naive_bayes().fit(x[:9], given={"label": label[:9]})
    found = fit_few_labels(naive_bayes(), x[:9], label[:9], x[9:], weight=0)
    for name, value in alone.state_dict().items():
        assert torch.equal(value, found.state_dict()[name])


def test_one_sweep_is_the_weighted_estimate_by_hand() -> None:
    x, label = clusters(60, 0)
    first = naive_bayes().fit(x[:9], given={"label": label[:9]})
    shares = first.posterior(x[9:]).probs
    found = fit_few_labels(naive_bayes(), x[:9], label[:9], x[9:], weight=0.5, iterations=1)
    counts = torch.cat((torch.eye(3).double()[label[:9]], 0.5 * shares))
    torch.testing.assert_close(found.prior, counts.sum(0) / counts.sum())
    means = counts.T @ x / counts.sum(0)[:, None]
    torch.testing.assert_close(found.family.means, means)


def test_the_objective_never_falls() -> None:
    x, label = clusters(300, 0)

    def reached(sweeps: int) -> float:
        model = naive_bayes(smoothing=0.0)
        fit_few_labels(
            model, x[:12], label[:12], x[12:], weight=0.3, iterations=sweeps, tolerance=-1.0
        )
        known = model.log_joint(x[:12]).gather(1, label[:12, None]).sum()
        return float(known + 0.3 * model.log_prob(x[12:]).sum())

    values = [reached(sweeps) for sweeps in (1, 2, 3, 5, 10, 20)]
    assert values == sorted(values)
    assert values[-1] > values[0] + 1


def test_others_help_at_one_label_a_class_and_hurt_digits_at_twenty() -> None:
    """Their components are not the labels, so that where there are labels they are in the way."""
    digits = load_digits()
    x, label = torch.from_numpy(digits.data), torch.from_numpy(digits.target)
    gains = {}
    for count in (1, 20):
        gains[count] = []
        for seed in range(5):
            order = torch.randperm(len(x), generator=Generator().manual_seed(seed))
            pool, test = order[:1200], order[1200:]
            rows = torch.cat([pool[label[pool] == k][:count] for k in range(10)])
            others = pool[~torch.isin(pool, rows)]
            scores = []
            for weight in (0.0, 1.0):
                model = naive_bayes(10, 64, smoothing=0.05)
                fit_few_labels(model, x[rows], label[rows], x[others], weight=weight)
                hits = model.posterior(x[test]).logits.argmax(dim=1) == label[test]
                scores.append(hits.double().mean().item())
            gains[count].append(scores[1] - scores[0])
    assert sum(gains[1]) / 5 > 0.05
    assert sum(gains[20]) / 5 < 0


def test_bad_arguments_are_named() -> None:
    x, label = clusters(9, 0)
    with pytest.raises(ValueError, match="weight must be at least 0, got -1"):
        fit_few_labels(naive_bayes(), x, label, x, weight=-1)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        fit_few_labels(naive_bayes(), x, label, x, iterations=0)
