from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Fitted = Callable[[str], Path]


@pytest.mark.parametrize(("run", "bound"), [("ae-table", []), ("vae-table", ["surprise"])])
def test_a_model_with_codes_has_more_scores(
    cli: Callable, fitted: Fitted, table: Path, run: str, bound: list[str]
) -> None:
    answer = cli("score", fitted(run), table, "--alarm", 0.1, "--json").json
    scores = [*bound, "reconstruction", "latent_distance", "strangeness"]
    assert answer["columns"] == ["row", *scores, "alarm"]
    assert answer["kind"] == ("bound" if bound else "loss")
    assert answer["score"] == "strangeness"
    rows = answer["rows"]
    assert [row[-1] for row in rows] == [row[-2] > answer["threshold"] for row in rows]
    assert 0 < sum(row[-1] for row in rows) < 60
    plain = cli("score", fitted(run), table, "--json").json
    assert [row[:-1] for row in rows] == plain["rows"]


def test_labels_tell_how_well_the_strange_ones_are_found(
    cli: Callable, fitted: Fitted, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    run, pixels = tmp_path / "run", tmp_path / "pixels.npz"
    normal = np.clip(random.normal(128, 6, (120, 8, 8)), 0, 255).astype(np.uint8)
    np.savez(pixels, x=normal)
    words = ["--set", "size=tiny", "--steps", 20, "--threads", 1, "--out", run]
    assert cli("fit", "ae", pixels, *words).status == 0
    both = tmp_path / "both.npz"
    strange = random.integers(0, 256, (30, 8, 8)).astype(np.uint8)
    np.savez(both, x=np.concatenate((normal[:60], strange)), label=np.repeat([3, 8], (60, 30)))
    ask = ["score", run, both, "--abnormal"]
    found = cli(*ask, 8, "--json").json["detection"]
    assert set(found) == {"reconstruction", "lost_share", "latent_distance", "strangeness"}
    assert found["reconstruction"]["auroc"] > 0.99
    assert found["reconstruction"]["auprc"] > 0.99
    assert "AUROC" in cli(*ask, 8).err
    assert "abnormal must be one of 3, 8, got '5'" in cli(*ask, 5).line
    assert "abnormal must leave at least 2 examples" in cli(*ask, "3,8").line
    assert "has no labels" in cli("score", run, pixels, "--abnormal", 1).line
    assert "alarm must lie between 0 and 1" in cli("score", run, both, "--alarm", 2).line


def test_without_the_data_of_the_run_what_needs_them_is_left_out(
    cli: Callable, tmp_path: Path
) -> None:
    table, moved = tmp_path / "t.csv", tmp_path / "moved.csv"
    rows = [f"{i * 0.37 % 7:.3f},{i * 0.23 % 5:.3f}" for i in range(100)]
    table.write_text("\n".join(["x,y", *rows]) + "\n")
    run = tmp_path / "run"
    words = ["--set", "size=tiny", "--steps", 5, "--threads", 1, "--out", run]
    assert cli("fit", "ae", table, *words).status == 0
    table.rename(moved)
    assert cli("score", run, moved, "--json").json["columns"] == ["row", "reconstruction"]
    assert cli("score", run, moved, "--alarm", 0.1).status == 2


def test_no_alarm_of_what_has_no_rows_or_codes(cli: Callable, fitted: Fitted, table: Path) -> None:
    assert (
        "gan has no density, no bound and no code" in cli("score", fitted("gan-table"), table).line
    )
