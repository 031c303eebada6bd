import math

import pytest
import torch
from sklearn.datasets import load_digits
from tests.contracts.models import train
from torch import nn

from ancestral.capabilities import Batch, Trains
from ancestral.classic.classifier import Classifier
from ancestral.data import load
from ancestral.errors import AncestralError


def digits() -> Batch:
    x, label = load_digits(return_X_y=True)
    images = torch.from_numpy(x).float().reshape(-1, 1, 8, 8) / 16
    return Batch(images, {"label": torch.from_numpy(label)})


def test_the_books_parameters() -> None:
    # NN-13: 3,140 + 50 = 3,190 numbers of 4 bytes.
    model = Classifier((1, 28, 28), 10, hidden=(4,))
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    assert counts == [3140, 50]
    assert sum(p.numel() * p.element_size() for p in model.parameters()) == 12_760
    assert 405e9 * 4 == 1620e9


def test_shapes_and_rows_that_sum_to_one() -> None:
    # NN-12: 64 -> 32 -> 8, a batch of 256.
    distribution = Classifier((64,), 8, hidden=(32,))(torch.randn(256, 64))
    assert distribution.probs.shape == (256, 8)
    torch.testing.assert_close(distribution.probs.sum(1), torch.ones(256))


def test_training_passes_the_floor_of_a_double_softmax() -> None:
    examples = digits()
    model = Classifier((1, 8, 8), 10)
    assert isinstance(model, Trains)
    train(model.players(), examples, steps=300)
    with torch.no_grad():
        loss = model.loss(examples)
    # E-C01: with a second softmax no loss is below log(1 + 9 / e) = 1.461.
    floor = math.log(1 + 9 / math.e)
    assert floor == pytest.approx(1.4612, abs=1e-4)
    assert loss.total.item() / loss.weight < 0.2 < floor < math.log(10)
    label, probability = model.predict(examples.x)
    assert (label == examples.given["label"]).double().mean() > 0.95
    torch.testing.assert_close(probability, model(examples.x).probs.amax(1))


@pytest.mark.slow
def test_the_books_classifier_on_fashion_mnist() -> None:
    try:
        data = load("fashion-mnist")
    except AncestralError as error:
        pytest.skip(str(error))
    model = Classifier((1, 28, 28), 10, hidden=(4,))
    examples = Batch(data.train.x.float() / 255, data.train.given)
    train(model.players(), examples, steps=1500, learning_rate=1e-3)
    held_out = Batch(data.test.x.float() / 255, data.test.given)
    with torch.no_grad():
        loss = model.loss(held_out)
    # NN-15: below log 10, and below what the book's double softmax can reach.
    assert loss.total.item() / loss.weight < 1.2 < math.log(1 + 9 / math.e)
    label, _ = model.predict(held_out.x)
    assert (label == held_out.given["label"]).double().mean() > 0.6


def test_the_loss_is_the_cross_entropy_of_the_logits() -> None:
    examples = digits()
    model = Classifier((1, 8, 8), 10)
    logits = model.network(examples.x.flatten(1))
    want = nn.functional.cross_entropy(logits, examples.given["label"], reduction="sum")
    torch.testing.assert_close(model.loss(examples).total, want)
    # At a probability p of the right label, the slope of its logit is p - 1 (-0.9 at p = 0.1).
    p = model(examples.x).probs
    (slope,) = torch.autograd.grad(want, logits)
    hot = nn.functional.one_hot(examples.given["label"], 10)
    torch.testing.assert_close(slope, p - hot, rtol=0, atol=1e-5)


def test_draws_have_the_frequencies_of_the_probabilities() -> None:
    # NN-11: argmax and sampling.
    distribution = Classifier((3,), 4)(torch.randn(2, 3))
    draws = distribution.sample((20_000,))
    for row in range(2):
        got = torch.bincount(draws[:, row], minlength=4) / 20_000
        torch.testing.assert_close(got, distribution.probs[row], rtol=0, atol=5 * 0.0036)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        Classifier((2,), 1)
    with pytest.raises(ValueError, match=r"x must have shape \[B, 1, 8, 8\], got \[5, 64\]"):
        Classifier((1, 8, 8), 10)(torch.zeros(5, 64))
    with pytest.raises(ValueError, match="given must have the label of each row"):
        Classifier((2,), 2).loss(Batch(torch.zeros(3, 2)))
