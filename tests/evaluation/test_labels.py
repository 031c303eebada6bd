"""Posteriors whose figures are known, against the figures that are measured."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from ancestral.data import fields
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.transforms import Affine
from ancestral.evaluation import Figure, evaluate
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.labels import NAMES, evaluate_labels
from ancestral.networks.units import InDataUnits


class Fixed(nn.Module):
    """Says the same probabilities of every row whose sign is the same."""

    def __init__(self, negative: list[float], positive: list[float]) -> None:
        super().__init__()
        self.register_buffer("probs", torch.tensor([negative, positive], dtype=torch.float64))

    def posterior(self, x: Tensor) -> Categorical:
        return Categorical(logits=self.probs[(x[:, 0] > 0).long()].log(), validate_args=False)


def labelled(n: int = 400) -> Dataset:
    """Rows of -1 with label 0, except each fourth; rows of 1 with label 1."""
    side = torch.arange(n) % 2
    x = (2.0 * side - 1)[:, None].double()
    label = torch.where((torch.arange(n) % 8) == 0, 1, side)
    part = Examples(x, {"label": label})
    return Dataset(
        name="signs",
        source="signs",
        fields=fields.labelled(Vector.of_numbers(["x"]), ("minus", "plus")),
        train=part,
        validation=part,
        test=part,
    )


def units(model: nn.Module) -> InDataUnits:
    return InDataUnits(model, Affine(torch.zeros(1), torch.ones(1)))


def test_the_figures_of_known_probabilities() -> None:
    data, attempts = labelled(), Attempts()
    found = evaluate_labels(units(Fixed([0.75, 0.25], [0.1, 0.9])), data, attempts)
    # Of 400: 200 at -1, of which 50 are labelled 1, and 200 at 1.
    wanted = (150 * math.log(0.75) + 50 * math.log(0.25) + 200 * math.log(0.9)) / 400
    assert found.figures["label_log_prob"].value == pytest.approx(wanted, rel=1e-12)
    assert found.figures["accuracy"].value == pytest.approx(350 / 400)
    assert found.figures["accuracy"].se == pytest.approx(math.sqrt(0.875 * 0.125 / 400), rel=0.01)
    assert found.confusion.tolist() == [[150, 0], [50, 200]]
    assert found.figures["calibration_error"].floor > 0
    assert attempts.notes == []
    assert (
        "'plus', the most frequent one in training, is right for 62.5%"
        in (found.definitions["accuracy"])
    )


def test_a_label_of_probability_zero_costs_one_figure_only() -> None:
    attempts = Attempts()
    found = evaluate_labels(units(Fixed([1.0, 0.0], [0.0, 1.0])), labelled(), attempts)
    assert found.figures["label_log_prob"] is None
    assert attempts.notes == ["label_log_prob: 50 of 400 test labels have probability 0"]
    assert isinstance(found.figures["accuracy"], Figure)


def test_nothing_is_asked_of_other_models_or_of_data_without_labels() -> None:
    data = labelled()
    assert evaluate_labels(units(nn.Identity()), data, Attempts()).figures == {}
    bare = Dataset(
        name=data.name,
        source=data.source,
        fields={"x": data.field},
        train=data.train,
        validation=data.validation,
        test=data.test,
    )
    assert evaluate_labels(units(Fixed([1, 0], [0, 1])), bare, Attempts()).confusion is None


def test_a_model_of_labels_alone_has_no_figure_of_x() -> None:
    found = evaluate(units(Fixed([0.75, 0.25], [0.1, 0.9])), labelled())
    given = {name for name, figure in found.figures.items() if figure is not None}
    assert given == set(NAMES)
    assert found.samples is None
    assert found.notes == ()
    assert found.confusion is not None
