import json

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
