import math

import pytest

from ancestral.training.schedule import average_decay, rate_factor


def test_cosine_falls_from_one_to_zero() -> None:
    factors = [rate_factor(1, p / 10, schedule="cosine", warmup=0) for p in range(11)]
    assert factors[0] == 1.0
    assert factors[-1] == 0.0
    assert factors == sorted(factors, reverse=True)
    assert factors[3] == pytest.approx(math.cos(math.pi * 0.15) ** 2)  # The half-angle form.


def test_warmup_rises_linearly_and_multiplies_the_schedule() -> None:
    assert [rate_factor(n, 0.0, schedule="constant", warmup=4) for n in (1, 2, 4, 9)] == [
        0.25,
        0.5,
        1.0,
        1.0,
    ]
    assert rate_factor(1, 0.5, schedule="cosine", warmup=4) == pytest.approx(0.125)


def test_the_average_forgets_the_initial_weights_and_reaches_its_decay() -> None:
    share, decays = 1.0, [average_decay(n, 0.999) for n in range(1, 20_000)]
    for decay in decays[:1]:
        share *= decay
    assert share == 0.0
    assert decays == sorted(decays)
    assert decays[-1] == 0.999


def test_a_young_average_spans_about_a_tenth_of_the_run() -> None:
    # Mean age of the weights in the average after n steps of the averaging recursion.
    age, n = 0.0, 500
    for number in range(1, n + 1):
        age = average_decay(number, 0.9999) * (age + 1.0)
    assert 0.08 * n < age < 0.12 * n
