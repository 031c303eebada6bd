from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_classifier_from_fit_to_labels(cli: Callable, groups_csv: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "labels.csv"
    words = ["--set", "label=group", "kind=logistic", "--out", run, "--json"]
    answer = cli("fit", "classifier", groups_csv, *words).json
    assert (answer["stopped"], answer["best"]["kind"]) == ("completed", "exact")

    figures = cli("evaluate", run, "--json").json["figures"]
    assert figures["accuracy"]["unit"] == "share"
    assert figures["log_prob"] is None

    found = cli("score", run, groups_csv, "--json").json
    assert found["columns"] == ["row", "label", "probability", "surprise"]
    assert found["n"] == len(found["rows"]) == 300
    row, label, probability, _ = found["rows"][7]
    assert row == 7
    assert label in {"left", "right"}
    assert 0.5 <= probability <= 1
    assert cli("score", run, groups_csv, "--out", out).status == 0
    assert out.read_text().splitlines()[0] == "row,label,probability,surprise"
    assert "classifier does not sample" in cli("sample", run).line


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["fit", "classifier", "TABLE"], "needs at least 2 labels, groups has 0"),
        (["fit", "classifier", "moons", "--set", "label=group"], "no column 'group'"),
        (["compare", "digits", "--models", "classifier,kde"], "models must be of one kind"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], why: str, cli: Callable, groups_csv: Path, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    lines = [line.rsplit(",", 1)[0] for line in groups_csv.read_text().splitlines()]
    table.write_text("\n".join(lines) + "\n")
    assert why in cli(*[table if word == "TABLE" else word for word in words]).line
