import math

from ancestral.evaluation.charts import Curve
from ancestral.evaluation.report.curves import curves_of, losses_of, said_of_losses


def test_rows_become_curves_validation_first() -> None:
    rows = [
        {"format": 1},
        {"step": 1, "metrics": {"kl": 3.0, "vae/loss": 9.0}, "validation": None, "best": False},
        {"step": 2, "metrics": {"kl": 2.0, "vae/loss": 8.0}, "validation": {"elbo": -8.0}},
        {"step": 4, "metrics": {"vae/loss": 7.0}, "validation": {"elbo": -7.0}, "best": True},
        {"step": 6, "metrics": {"vae/loss": 6.0}, "validation": {"elbo": -7.5}, "best": False},
    ]
    curves = {curve.name: curve for curve in curves_of(rows)}
    assert list(curves) == ["validation elbo", "vae/loss", "kl"]
    assert curves["validation elbo"].steps == [2, 4, 6]
    assert curves["validation elbo"].values == [-8.0, -7.0, -7.5]
    assert curves["validation elbo"].best == 1
    assert curves["kl"].steps == [1, 2]
    assert curves["vae/loss"].best is None


def test_flat_rows_are_read_too() -> None:
    (curve,) = curves_of([{"step": 3, "loss": 1.5, "seconds": 0.1, "epoch": 0.5}])
    assert (curve.name, curve.steps, curve.values) == ("loss", [3.0], [1.5])


def test_what_is_no_finite_number_leaves_a_gap() -> None:
    rows = [
        {"step": 1, "loss": math.nan},
        {"step": 2, "loss": None},
        {"step": 3, "loss": "low"},
        {"step": 4, "loss": True},
        {"step": None, "loss": 1.0},
        {"step": 5, "loss": 2.0},
    ]
    (curve,) = curves_of(rows)
    assert curve.steps == [5.0]


def test_the_schedule_is_no_curve() -> None:
    row = {"step": 1, "metrics": {"vae/learning_rate": 0.1, "vae/loss": 1.0}}
    assert [curve.name for curve in curves_of([row])] == ["vae/loss"]


def test_there_are_not_too_many() -> None:
    row = {"step": 1, "metrics": {f"m{i}": 1.0 for i in range(30)} | {"g/loss": 1.0}}
    curves = curves_of([row], most=4)
    assert [curve.name for curve in curves] == ["g/loss", "m0", "m1", "m2"]


def test_training_and_validation_loss_belong_together() -> None:
    rows = [
        {"step": 1, "metrics": {"model/loss": 9.0}, "validation": {"loss": 9.5}, "best": True},
        {"step": 2, "metrics": {"model/loss": 8.0, "model/grad_norm": 1.0}},
    ]
    found = losses_of(curves_of(rows))
    assert found is not None
    training, validation = found
    assert (training.name, validation.name, validation.best) == (
        "model/loss",
        "validation loss",
        0,
    )
    # Two players have no training loss in common, and some models no validation loss.
    two = {"step": 1, "metrics": {"g/loss": 1.0, "d/loss": 1.0}, "validation": {"loss": 1.0}}
    assert losses_of(curves_of([two])) is None
    assert losses_of(curves_of(rows[1:])) is None


def test_memorising_is_said() -> None:
    training = Curve("loss", [1, 2, 3], [3.0, 2.0, 1.0])
    falling = Curve("validation loss", [1, 3], [3.0, 2.5])
    rising = Curve("validation loss", [1, 2, 3], [3.0, 2.5, 4.0], best=1)
    assert "more training may help" in said_of_losses(training, falling)
    assert said_of_losses(training, rising) == (
        "Validation loss is 1.5 above its least, of step 2: what is learned since is memorised."
    )
    stuck = Curve("loss", [1, 2, 3], [3.0, 2.0, 2.5])  # Both rise: that is no memorising.
    once = Curve("validation/loss", [2], [3.0])
    assert said_of_losses(training, once).startswith("Validation loss was measured once")
    assert said_of_losses(stuck, rising) == "Validation loss is 1.5 above its least, of step 2."
