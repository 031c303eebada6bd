"""A generative classifier of few labels, and of many examples without one."""

from typing import TypeVar

import torch
from torch import Tensor

from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.networks.arguments import check_number, check_whole

M = TypeVar("M", bound=NaiveBayes)


@torch.no_grad()
def fit_few_labels(
    model: M,
    x: Tensor,
    label: Tensor,
    others: Tensor,
    *,
    weight: float = 1.0,
    iterations: int = 50,
    tolerance: float = 1e-6,
) -> M:
    """Fit naive Bayes to labelled examples and to others by EM; return the model.

    EM raises ``sum log p(x, label) + weight sum log p(others)``: an example without a label counts
    for each label by its posterior. Without labels it would be a mixture, whose components no label
    names; the labelled examples name them, and are where it begins. That helps where the mixture's
    components are the labels, and hurts where they are not: the more labels there are, the less
    weight the others should have.

    Source: Nigam et al. 2000, Text Classification from Labeled and Unlabeled Documents using EM,
    sec. 5.3.1 (the weight).

    Args:
        model: Its family has a state a label; it is fitted anew.
        x: Labelled examples, [N, D].
        label: Their labels, [N], from 0.
        others: Examples without a label, [M, D].
        weight: How often each of these counts, at least 0; 0: the labelled ones alone are fitted.
        iterations: Most sweeps, at least 1.
        tolerance: It ends when the objective rises by less than this an example, nats.

    Raises:
        ValueError: If an argument is out of its range, or the examples are of other shapes.
        DataError: If a value is not of the family.

    Example:
        >>> from ancestral.classic import DiagonalGaussians
        >>> both = torch.randn(200, 1) + 4 * (torch.arange(200) % 2)[:, None]
        >>> model = NaiveBayes(DiagonalGaussians(2, 1, smoothing=0.1))
        >>> fit_few_labels(model, both[:4], torch.arange(4) % 2, both[4:]).family.means.shape
        torch.Size([2, 1])
    """
    check_number("weight", weight)
    check_whole("iterations", iterations)
    check_number("tolerance", tolerance, least=-float("inf"), finite=False)
    model.fit(x, given={"label": label})
    if not weight:
        return model
    whole = torch.cat((x, others.to(x)))
    hot = torch.nn.functional.one_hot(label.long(), model.family.states).to(model.prior)
    last = -float("inf")
    for _ in range(iterations):
        joint = model.log_joint(whole)
        evidence = joint[len(x) :].logsumexp(dim=1)
        known = joint[: len(x)].gather(1, label.long()[:, None]).sum()
        reached = float(known + weight * evidence.sum()) / len(whole)
        if reached - last < tolerance:
            break
        last = reached
        pulled = weight * (joint[len(x) :] - evidence[:, None]).exp()
        counts = torch.cat((hot, pulled))
        model.prior.copy_(counts.sum(dim=0) / counts.sum())
        model.family.estimate(whole, counts)
    return model
