from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Fitted = Callable[[str], Path]


def test_a_table_comes_back_as_the_same_columns(
    cli: Callable, fitted: Fitted, tmp_path: Path
) -> None:
    out = tmp_path / "new.csv"
    answer = cli("sample", fitted("kde-table"), "-n", 50, "--out", out, "--json").json
    assert answer == {
        "run": str(fitted("kde-table")),
        "n": 50,
        "means": False,
        "out": str(out),
    }
    assert out.read_text().splitlines()[0] in ("height,weight", '"height","weight"')
    rows = np.genfromtxt(out, delimiter=",", skip_header=1)
    assert rows.shape == (50, 2)
    # In the units of the data: 50 draws of Normal(170, 10) have a mean within five errors.
    assert abs(rows[:, 0].mean() - 170) < 5 * 10 / 50**0.5 + 1


def test_without_out_a_table_goes_to_standard_output(cli: Callable, fitted: Fitted) -> None:
    outcome = cli("sample", fitted("kde-table"), "-n", 3)
    assert outcome.status == 0
    assert outcome.out.splitlines()[0] == "height,weight"
    assert len(outcome.out.splitlines()) == 4
    answer = cli("sample", fitted("kde-table"), "-n", 3, "--json").json
    assert np.shape(answer["samples"]) == (3, 2)
    assert answer["columns"] == ["height", "weight"]


def test_draws_follow_the_seed(cli: Callable, fitted: Fitted) -> None:
    one, again, other = (
        cli("sample", fitted("vae-table"), "--json", "--seed", seed).json["samples"]
        for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_images_come_back_as_images(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    out = tmp_path / "threes"
    run = fitted("image-vae-digits")
    assert cli("sample", run, "-n", 4, "--given", "label=3", "--out", out).status == 0
    assert (out / "grid.png").is_file()
    pictures = [path for path in out.iterdir() if path.name != "grid.png"]
    assert len(pictures) == 4
    with Image.open(pictures[0]) as picture:
        assert picture.size == (8, 8)
    assert "--overwrite" in cli("sample", run, "--out", out).line
    assert cli("sample", run, "-n", 4, "--out", out, "--overwrite").status == 0


def test_images_go_beside_the_run_by_default(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    first, second = (cli("sample", fitted("kde-digits"), "--json").json["out"] for _ in range(2))
    assert first == str(fitted("kde-digits") / "samples")
    assert second == str(fitted("kde-digits") / "samples-2")


def test_means_are_not_draws(cli: Callable, fitted: Fitted) -> None:
    draws = cli("sample", fitted("vae-table"), "-n", 200, "--json").json
    means = cli("sample", fitted("vae-table"), "-n", 200, "--means", "--json").json
    assert means["means"] is True
    spread = np.std(draws["samples"], axis=0)
    assert (np.std(means["samples"], axis=0) < spread).all()


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet"])
def test_other_formats(cli: Callable, fitted: Fitted, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "deep" / f"x.{suffix}"
    assert cli("sample", fitted("kde-table"), "-n", 5, "--out", out).status == 0
    assert out.stat().st_size > 0
