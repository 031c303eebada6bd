import pytest
import torch

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.evaluation import Evaluation
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures.estimate import mean_of
from ancestral.evaluation.report import ModelEntry, Section, table_rows
from ancestral.evaluation.report.definitions import DEFINITIONS, definition_of
from ancestral.evaluation.report.table import best_of, duration, figure_rows, number, value_text

HIGHER, LOWER, FLOOR = (
    DEFINITIONS[name] for name in ("log_prob", "sliced_wasserstein", "classifier_accuracy")
)


def section_of(*entries: ModelEntry) -> Section:
    examples = Examples(torch.zeros(4, 2))
    data = Dataset(
        name="d",
        source="d",
        fields={"x": Vector.of(examples.x)},
        train=examples,
        validation=examples,
        test=examples,
    )
    return Section(data=data, entries=entries)


def exact(value: float, se: float | None = 0.1) -> Figure:
    return Figure(value, se, "nats", "exact")


def bound(value: float, se: float | None = 0.1) -> Figure:
    return Figure(value, se, "nats", "bound")


def distance(value: float, se: float | None = 0.01, floor: float | None = 0.1) -> Figure:
    return Figure(value, se, "", "estimate", floor)


@pytest.mark.parametrize(
    ("value", "se", "unit", "text"),
    [
        (-1.93456, 0.0123, "nats", "−1.935 ± 0.012"),
        (-83.2049, 0.98, "nats", "−83.20 ± 0.98"),
        (-41231.7, 120.4, "nats", "−41,232 ± 120"),
        (0.99342, 0.00181, "share", "99.34 ± 0.18"),
        (0.5021, 0.0065, "probability", "50.21 ± 0.65"),
        (1.0, 0.0, "share", "100.0 ± 0"),
        (2.5, None, "nats", "2.500"),
        (3e-9, 2e-9, "", "3.0e−09 ± 2e−09"),
    ],
)
def test_values_have_the_digits_of_their_error(
    value: float, se: float | None, unit: str, text: str
) -> None:
    assert value_text(Figure(value, se, unit, "estimate"))[0] == text


def test_small_values_are_given_in_thousandths() -> None:
    assert value_text(distance(0.0031, 0.0005), tiny=True) == ("3.10 ± 0.50", "×10⁻³")
    rows = figure_rows(
        section_of(
            ModelEntry(
                name="a", evaluation=Evaluation(figures={"mmd": distance(0.0031, 0.0005, 1e-5)})
            ),
            ModelEntry(
                name="b", evaluation=Evaluation(figures={"mmd": distance(-0.0002, 0.0003, 1e-5)})
            ),
        )
    )
    assert [cell.text for cell in rows[0].cells] == ["3.10 ± 0.50", "−0.20 ± 0.30"]
    assert rows[0].floor == "0.01"
    far = ModelEntry(
        name="a", evaluation=Evaluation(figures={"density": distance(0.001, 0.0005, 1.01)})
    )
    (row,) = figure_rows(section_of(far))
    assert (row.unit, row.floor) == ("", "1.01")  # The floor is not small.


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567.8, "1,234,568"), (-0.0123412, "−0.01234"), (1e12, "1.00e+12")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.01, "<0.1 s"),
        (30.04, "30.0 s"),
        (119.9, "2 min 00 s"),
        (3700, "1 h 01 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("figures", "definition", "expected"),
    [
        # Two standard errors of the difference are 2 * sqrt(2) * 0.1 = 0.28.
        ([exact(-1.0), exact(-1.27), exact(-1.3)], HIGHER, [True, True, False]),
        ([distance(0.2), distance(0.3)], LOWER, [True, False]),
        # Nothing is better than the floor, so what is below it ties with what reaches it.
        ([distance(0.05, None), distance(0.1, None)], LOWER, [True, True]),
        ([distance(0.05, None), distance(0.12, None)], FLOOR, [False, True]),
        ([distance(0.2, None, None), distance(0.1, None, None)], FLOOR, [False, False]),
        # A single value has nothing to be better than.
        ([exact(-1.0), None], HIGHER, [False, False]),
        # The model behind a beaten bound may still be the better one; a bound that wins has won.
        ([exact(-1.0), bound(-2.0)], HIGHER, [False, False]),
        ([exact(-2.0), bound(-1.0)], HIGHER, [False, True]),
        ([bound(-2.0), bound(-1.0)], HIGHER, [False, True]),
        ([Figure(1.0, None, "", "loss"), Figure(2.0, None, "", "loss")], LOWER, [False, False]),
    ],
)
def test_the_best_is_marked_only_where_it_is_known(
    figures: list, definition: object, expected: list[bool]
) -> None:
    assert best_of(figures, definition) == expected  # type: ignore[arg-type]


def test_likelihoods_of_the_same_examples_are_compared_one_by_one() -> None:
    hard, gain = torch.linspace(-2, 2, 50), torch.linspace(0.01, 0.03, 50)
    found = [mean_of(values) for values in (hard, hard - gain)]
    alone = [Figure(one.value, one.se, "nats", "exact") for one in found]
    paired = [Figure(e.value, e.se, "nats", "exact", deviations=e.deviations) for e in found]
    assert best_of(alone, HIGHER) == [True, True]
    assert best_of(paired, HIGHER) == [True, False]
    assert best_of([paired[0], alone[1]], HIGHER) == [True, True]


def test_rows_for_the_terminal() -> None:
    copies = Figure(0.99, 0.01, "share", "estimate", 0.5, 1e-9)
    first = ModelEntry(
        name="kde",
        evaluation=Evaluation(
            figures={"elbo": None, "log_prob": exact(-1.0), "memorisation": copies, "mmd": None}
        ),
        parameters=1234,
        seconds=2.0,
    )
    second = ModelEntry(
        name="vae",
        evaluation=Evaluation(figures={"elbo": bound(-1.5), "log_prob": None}),
        steps=500,
    )
    header, rows = table_rows(section_of(first, second))
    assert header == ["figure", "kde", "vae", "real vs real"]
    assert rows == [
        ["log_prob [nats]", "−1.00 ± 0.10", "–", "–"],
        ["elbo [nats]", "–", "≥ −1.50 ± 0.10", "–"],
        ["memorisation [%]", "99.0 ± 1.0 (p < 0.001)", "–", "50"],
        ["training time", "2.0 s", "–", ""],
        ["steps", "–", "500", ""],
        ["parameters", "1,234", "–", ""],
    ]


def test_signs_say_what_a_figure_is() -> None:
    figures = {
        "log_prob_iw": Figure(-1.0, 0.1, "nats", "estimate"),
        "bits_per_dim": Figure(2.0, 0.1, "bits/dim", "bound"),
        "own_loss": Figure(2.0, 0.1, "", "loss"),
        "coverage": Figure(0.9, 0.1, "share", "estimate", 0.95),
    }
    rows = figure_rows(section_of(ModelEntry(name="a", evaluation=Evaluation(figures=figures))))
    plain = {row.name: row.cells[0].plain for row in rows}
    assert plain["log_prob_iw"] == "≈ −1.00 ± 0.10"
    assert plain["bits_per_dim"] == "≤ 2.00 ± 0.10"
    assert plain["own_loss"] == "2.00 ± 0.10 (loss)"
    assert plain["coverage"] == "90 ± 10"


def test_a_copier_is_warned_of_and_an_honest_model_is_not() -> None:
    for p_value, warned in ((1e-5, True), (0.3, False)):
        figure = Figure(0.6, 0.01, "share", "estimate", 0.5, p_value)
        entry = ModelEntry(
            name="a", evaluation=Evaluation(figures={"memorisation": figure, "mmd": figure})
        )
        cells = {row.name: row.cells[0] for row in figure_rows(section_of(entry))}
        assert bool(cells["memorisation"].warning) is warned
        assert not cells["mmd"].warning


def test_that_no_model_has_a_likelihood_is_shown() -> None:
    rows = figure_rows(
        section_of(
            ModelEntry(name="gan", evaluation=Evaluation(figures={"log_prob": None, "elbo": None}))
        )
    )
    assert [row.name for row in rows] == ["log_prob"]


def test_an_unknown_figure_is_shown_and_not_ranked() -> None:
    assert definition_of("new_figure").title == "new figure"
    assert best_of([exact(1.0), exact(2.0)], definition_of("new_figure")) == [False, False]


def test_figures_of_means_say_so_and_are_ranked_as_those_of_draws() -> None:
    means = definition_of("coverage_means")
    assert means.title == "coverage of means"
    assert means.text.startswith("Of means of p(x | z) instead of draws.")
    assert means.better == definition_of("coverage").better


def test_every_definition_is_a_sentence() -> None:
    assert all(d.text.endswith(".") for d in DEFINITIONS.values())


def test_names_of_a_section_differ() -> None:
    entry = ModelEntry(name="a")
    with pytest.raises(ValueError, match="different names"):
        section_of(entry, entry)
