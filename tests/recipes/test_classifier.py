"""The recipe ``classifier`` from a table with a column of labels to labels of new rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ancestral.data import load
from ancestral.data.fields import Image, Shape
from ancestral.errors import CapabilityError, ConfigError, DataError
from ancestral.evaluation import Setting
from ancestral.recipes import Run, evaluate_run, fit, plan, sample_run
from ancestral.recipes.comparing import contest
from ancestral.recipes.families.classifiers import ViTConfig
from ancestral.recipes.scoring import score_labels, score_rows
from ancestral.training import Budget

SMALL = Setting(samples=30, references=30)


@pytest.mark.parametrize("kind", ["mlp", "logistic"])
def test_fit_evaluate_and_score(kind: str, groups_csv: Path, tmp_path: Path) -> None:
    settings = {"label": "group", "kind": kind}
    run = fit(
        "classifier", groups_csv, settings=settings, budget=Budget(steps=200), out=tmp_path / "r"
    )
    assert (run.record.options is None) == (kind == "logistic")
    assert run.record.result.best.unit == "nats"
    assert "label=group" in (run.folder / "report.html").read_text()

    found = evaluate_run(run, setting=SMALL).evaluation
    assert found.notes == ()
    assert found.figures["accuracy"].value > 0.8
    assert found.figures["log_prob"] is None
    data = run.data()
    with torch.no_grad():
        log_p = run.model().posterior(data.test.x).log_prob(data.test.given["label"])
    assert found.figures["label_log_prob"].value == pytest.approx(log_p.double().mean().item())
    assert found.confusion.sum() == len(data.test)
    assert "Which label is taken for which" in (run.folder / "report.html").read_text()

    scores = score_labels(run, str(groups_csv))
    own = [line.rsplit(",", 1)[1] for line in groups_csv.read_text().splitlines()[1:]]
    right = torch.tensor([a == b for a, b in zip(scores.label, own, strict=True)])
    assert right.double().mean() > 0.85
    # Of two labels, what is said with probability p costs -log p, or else -log(1 - p).
    p = torch.where(right, scores.probability, 1 - scores.probability)
    torch.testing.assert_close(scores.surprise, -p.log(), rtol=1e-4, atol=1e-6)


def test_logistic_is_the_peers_optimum_in_the_users_units(groups_csv: Path, tmp_path: Path) -> None:
    settings = {"label": "group", "kind": "logistic", "penalty": 0.5}
    run = fit("classifier", groups_csv, settings=settings, out=tmp_path / "run")
    units, data = run.model(), run.data()
    x = units.transform(data.train.x).double().numpy()
    peer = LogisticRegression(C=2.0, tol=1e-10, max_iter=1000)
    peer.fit(x, data.train.given["label"].numpy())
    test = units.transform(data.test.x).double().numpy()
    # The penalty's optimum is of standardised columns, which are float32.
    mine = units.posterior(data.test.x).probs.numpy()
    np.testing.assert_allclose(mine, peer.predict_proba(test), atol=1e-6)


@pytest.mark.bits
def test_rows_without_the_label_are_labelled_and_other_orders_are_matched(
    groups_csv: Path, tmp_path: Path
) -> None:
    run = fit(
        "classifier",
        groups_csv,
        settings={"label": "group", "kind": "logistic"},
        out=tmp_path / "run",
    )
    whole = score_labels(run, str(groups_csv))
    lines = groups_csv.read_text().splitlines()
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines) + "\n")
    found = score_labels(run, str(bare))
    assert found.surprise is None
    assert found.label == whole.label

    # One label only, so that it is the first of its file and the second of the run's.
    some = tmp_path / "some.csv"
    some.write_text("\n".join([lines[0], *(row for row in lines[1:] if "right" in row)]) + "\n")
    keep = torch.tensor(["right" in row for row in lines[1:]])
    assert torch.equal(score_labels(run, str(some)).surprise, whole.surprise[keep])
    figure = evaluate_run(run, str(some), setting=SMALL).evaluation.figures["accuracy"]
    with torch.no_grad():
        said = run.model().posterior(run.same_kind(str(some)).test.x).probs.argmax(dim=1)
    assert figure.value == pytest.approx((said == 1).double().mean().item())

    strange = tmp_path / "strange.csv"
    strange.write_text("\n".join(lines).replace("left", "middle") + "\n")
    assert bool(score_labels(run, str(strange)).surprise[~keep].isinf().all())
    with pytest.raises(DataError, match="has the label 'middle', which is not one of left, right"):
        evaluate_run(run, str(strange), setting=SMALL)

    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join([*lines, "1.0,x,left"]) + "\n")
    with pytest.raises(DataError, match="'x' is not a number"):
        score_labels(run, str(broken))


def test_what_it_cannot_do_is_refused_in_one_line(groups_csv: Path, tmp_path: Path) -> None:
    settings = {"label": "group", "kind": "logistic"}
    run = fit("classifier", groups_csv, settings=settings, out=tmp_path / "run")
    with pytest.raises(CapabilityError, match="classifier does not sample"):
        sample_run(Run.open(run.folder), 3)
    with pytest.raises(CapabilityError, match="no density"):
        score_rows(run, str(groups_csv))
    with pytest.raises(ConfigError, match="classifier needs at least 2 labels, moons has 0"):
        plan("classifier", "moons")
    with pytest.raises(ConfigError, match="learning_rate must be left out"):
        plan("classifier", groups_csv, settings={**settings, "learning_rate": 0.1})
    with pytest.raises(ConfigError, match="hidden must be left out with kind=logistic"):
        plan("classifier", groups_csv, settings={**settings, "hidden": "8"})
    with pytest.raises(ConfigError, match="penalty must be left out with kind=mlp"):
        plan("classifier", groups_csv, settings={"label": "group", "penalty": 1})


def test_labels_are_not_compared_with_densities() -> None:
    with pytest.raises(ConfigError, match=r"classifier gives p\(label \| x\), the others model x"):
        contest("digits", models=["classifier", "kde"])
    assert contest("digits", models=["classifier"]).names == ("classifier",)


def test_a_generative_model_of_labels_is_judged_by_them_too(tmp_path: Path) -> None:
    run = fit("naive-bayes", "digits", out=tmp_path / "run")
    figures = evaluate_run(run, setting=SMALL).evaluation.figures
    # Noise makes the grey levels continuous first: one draw of it is an estimate.
    assert figures["accuracy"].kind == figures["label_log_prob"].kind == "estimate"
    assert figures["accuracy"].value > 0.85
    assert figures["log_prob"].kind == "bound"
    scores = score_labels(run, "digits")
    assert len(scores.label) == 1797


def test_a_transformer_of_images_is_told_its_sizes_and_learns_digits(tmp_path: Path) -> None:
    shape = Shape(load("digits").fields)
    config = ViTConfig().resolved(shape)
    assert (config.patch, config.width, config.layers, config.heads) == (2, 64, 4, 4)
    wide = replace(
        shape, fields={**shape.fields, "x": Image(channels=1, height=28, width=28, levels=256)}
    )
    assert ViTConfig(heads=3).resolved(wide).width == 48
    settings = {"size": "tiny", "patch": 4, "dropout": 0.0}
    run = fit("vit", "digits", settings=settings, budget=Budget(steps=60), out=tmp_path / "run")
    figures = evaluate_run(run, setting=SMALL).evaluation.figures
    assert figures["accuracy"].value > 0.5
    assert figures["label_log_prob"].value == pytest.approx(
        run.record.result.best.value, abs=0.3
    )  # Test and validation.
    assert figures["label_log_prob"].kind == "exact"
    assert len(score_labels(run, "digits").label) == 1797


def test_a_transformer_of_images_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vit"):
        plan("vit", "moons")
    with pytest.raises(ConfigError, match="width must be a multiple of heads = 4, got 6"):
        plan("vit", "digits", settings={"width": 6})
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = np.full((8, 8), 20 * number, dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    with pytest.raises(ConfigError, match="vit needs at least 2 labels, photos has 0: give a fol"):
        plan("vit", tmp_path / "photos")
