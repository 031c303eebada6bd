import json
from dataclasses import replace

import pytest

from ancestral.training.progress import Progress


def test_progress_survives_json_to_the_last_bit() -> None:
    progress = Progress(step=12, seconds=0.1 + 0.2, best=1 / 3, best_step=10, bad=2)
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress
    assert Progress.from_json(json.loads(json.dumps(Progress().to_json()))) == Progress()


@pytest.mark.parametrize(
    ("best", "figure", "lower", "higher"),
    [
        (None, 1.0, True, True),
        (2.0, 1.0, True, False),
        (1.0, 2.0, False, True),
        (1.0, 1.0, False, False),
        (None, float("nan"), False, False),
        (1.0, float("-inf"), False, False),
    ],
)
def test_what_improves(best: float | None, figure: float, lower: bool, higher: bool) -> None:
    progress = Progress(best=best)
    assert progress.improves(figure, higher=False) is lower
    assert progress.improves(figure, higher=True) is higher


@pytest.mark.parametrize(
    ("figure", "best", "kept", "bad"),
    [
        (0.9, 0.9, 20, 0),  # Better.
        (1.05, 1.0, 20, 3),  # As good: kept, but no reason to wait longer.
        (1.11, 1.0, 10, 3),  # Worse.
        (float("nan"), 1.0, 10, 3),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_of_equals_the_later_is_kept(
    figure: float, best: float, kept: int, bad: int, sign: int
) -> None:
    before = Progress(step=20, best=sign * 1.0, best_step=10, bad=2)
    after = before.judged(sign * figure, higher=sign < 0, tolerance=0.1)
    assert (after.best, after.best_step, after.bad) == (sign * best, kept, bad)


def test_many_equals_do_not_drift_from_the_best() -> None:
    progress = Progress()
    for number, figure in enumerate([1.0, 1.06, 1.12, 1.18], start=1):
        progress = replace(progress, step=number).judged(figure, higher=False, tolerance=0.1)
    assert (progress.best, progress.best_step) == (1.0, 2)


def test_weights_of_a_model_that_still_grows_set_no_figure_to_be_beaten() -> None:
    young = Progress(step=10).judged(0.5, higher=False, settled=False)
    assert (young.best, young.best_step, young.bad) == (None, 10, 0)
    later = replace(young, step=20).judged(0.9, higher=False, settled=False)
    assert later.best_step == 20  # Worse, and yet the one to go on with.
    whole = replace(later, step=30).judged(2.0, higher=False)
    assert (whole.best, whole.best_step) == (2.0, 30)
    lost = replace(later, step=30).judged(float("nan"), higher=False, settled=False)
    assert lost.best_step == 20
