from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ancestral.recipes import Run

Fitted = Callable[[str], Path]


def test_encode_keeps_the_order_of_the_file(
    cli: Callable, fitted: Fitted, table: Path, tmp_path: Path
) -> None:
    run = fitted("vae-table")
    answer = cli("encode", run, table, "--json").json
    assert answer["columns"] == ["z1", "z2", "std1", "std2"]
    assert np.shape(answer["latents"]) == (240, 4)
    reverse = tmp_path / "reverse.csv"
    head, *rows = table.read_text().split()
    reverse.write_text("\n".join([head, *reversed(rows)]) + "\n")
    other = cli("encode", run, reverse, "--json").json
    # The same numbers in other batches of a matrix product agree to float32 rounding.
    np.testing.assert_allclose(other["latents"][::-1], answer["latents"], rtol=1e-4, atol=1e-6)


def test_columns_are_found_by_name(
    cli: Callable, fitted: Fitted, table: Path, tmp_path: Path
) -> None:
    rows = [line.split(",") for line in table.read_text().split()]
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("".join(f"{b},{a}\n" for a, b in rows))
    for command in ("encode", "score", "evaluate"):
        found, wanted = (
            cli(command, fitted("vae-table"), path, "--json").json for path in (swapped, table)
        )
        for other in (found, wanted):  # Where it is from, and how long it took.
            for name in ("data", "seconds"):
                other.pop(name, None)
        assert found == wanted
    swapped.write_text("weight,size\n1,2\n")
    line = cli("encode", fitted("vae-table"), swapped).line
    assert f"models the columns height, weight, {swapped} has weight, size" in line


def test_encode_writes_a_table(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    out = tmp_path / "latents.csv"
    assert cli("encode", fitted("image-vae-digits"), "digits", "--out", out).status == 0
    rows = np.genfromtxt(out, delimiter=",", skip_header=1)
    assert rows.shape == (1797, 32)
    assert (rows[:, 16:] > 0).all()


def test_a_walk_has_its_ends(cli: Callable, fitted: Fitted) -> None:
    run = fitted("vae-table")
    straight = cli("interpolate", run, 0, 1, "--steps", 5, "--json").json
    great = cli("interpolate", run, 0, 1, "--steps", 5, "--slerp", "--json").json
    back = cli("interpolate", run, 1, 0, "--steps", 5, "--json").json
    assert straight["method"] == "straight"
    assert great["method"] == "slerp"
    assert np.shape(straight["samples"]) == (5, 2)
    for end in (0, -1):
        np.testing.assert_allclose(straight["samples"][end], great["samples"][end], rtol=1e-4)
    np.testing.assert_allclose(straight["samples"][::-1], back["samples"], rtol=1e-4)


def test_a_walk_between_images(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    out = tmp_path / "path.png"
    run = fitted("image-vae-digits")
    assert cli("interpolate", run, 0, 7, "--steps", 6, "--out", out).status == 0
    with Image.open(out) as picture:
        strip = np.asarray(picture)
    # Images of 8 x 8 at a scale of 8 between gaps of 2: one end, six steps, the other end.
    assert strip.shape == (68, 2 * 68 + (6 * 66 + 2) + 2 * 17)
    test = Run.open(run).data().test.x[:, 0].numpy()
    for row, left in ((0, 2), (7, strip.shape[1] - 66)):
        shown = strip[2:66:8, left : left + 64 : 8]
        np.testing.assert_array_equal(shown, np.rint(test[row] * (255 / 16)).astype(np.uint8))
    assert (strip[:, 68:85] == 255).all()
    for name in ("path.png", "path-2.png"):
        assert Path(cli("interpolate", run, 0, 7).out.strip()) == run / name


def test_a_walk_between_files(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_text("height,weight\n160.5,55.5\n")
    b.write_text("height,weight\n190.5,90.5\n")
    answer = cli("interpolate", fitted("vae-table"), a, b, "--steps", 3, "--json").json
    assert np.shape(answer["samples"]) == (3, 2)
    b.write_text("height,weight\n190.5,90.5\n180.5,80.5\n")
    assert "one example" in cli("interpolate", fitted("vae-table"), a, b).line


def test_labels_go_by_their_names(cli: Callable, tmp_path: Path) -> None:
    def folder(name: str, shades: dict[str, int]) -> Path:
        for label, shade in shades.items():
            (tmp_path / name / label).mkdir(parents=True)
            for i in range(10, 22):
                picture = tmp_path / name / label / f"{i}.png"
                Image.new("L", (8, 8), shade + i).save(picture)
        return tmp_path / name

    run, shades = tmp_path / "run", {"dark": 20, "light": 200, "middle": 90}
    whole = folder("whole", shades)
    words = ["--set", "size=8", "latent=2", "--steps", 20, "--out", run]
    assert cli("fit", "image-vae", whole, *words).status == 0
    latents = cli("encode", run, whole, "--json").json["latents"]
    # Without the first label the others have other numbers than in the run.
    del shades["dark"]
    part = cli("encode", run, folder("part", shades), "--json").json["latents"]
    np.testing.assert_allclose(part, latents[12:], rtol=1e-4, atol=1e-6)

    strange = folder("strange", {"dark": 20, "green": 90})
    assert (
        "has the label 'green', which is not one of dark, light, middle"
        in cli("encode", run, strange).line
    )
    one = folder("bare", {"dark": 20}) / "dark" / "10.png"
    for words in (["encode", run, one.parent], ["interpolate", run, one, one]):
        assert f"{run} needs the label of each example" in cli(*words).line


def test_images_of_other_grey_levels_are_refused(
    cli: Callable, fitted: Fitted, tmp_path: Path
) -> None:
    run = fitted("image-vae-digits")  # Of 17 levels.
    for i in range(12):
        Image.new("L", (8, 8), 100 + i).save(tmp_path / f"{i}.png")
    for words in (["encode", run, tmp_path], ["evaluate", run, tmp_path]):
        assert "models images of 17 grey levels" in cli(*words).line
    own = tmp_path / "own.npy"
    kde = fitted("kde-digits")
    assert cli("sample", kde, "-n", 20, "--out", own).status == 0
    assert len(cli("score", kde, own, "--json").json["rows"]) == 20


def test_a_grid_has_its_corners(cli: Callable, fitted: Fitted) -> None:
    run = fitted("vae-table")
    walk = cli("interpolate", run, 0, 3, "--steps", 3, "--json").json["samples"]
    answer = cli("grid", run, 0, 1, 2, 3, "--steps", 3, "--json").json
    assert answer["corners"] == ["0", "1", "2", "3"]
    found = np.array(answer["samples"]).reshape(3, 3, 2)
    np.testing.assert_allclose(found[[0, 2], [0, 2]], np.array(walk)[[0, 2]], rtol=1e-4)
    assert "steps" in cli("grid", run, 0, 1, 2, 3, "--steps", 1).line


def test_an_attribute_has_a_strength(cli: Callable, tmp_path: Path) -> None:
    rows = [
        f"{i * 0.37 % 7:.3f},{i * 0.23 % 5 + 10 * (i % 2):.3f},{'ab'[i % 2]}" for i in range(200)
    ]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["x,y,kind", *rows]) + "\n")
    words = ["--set", "label=kind", "size=tiny", "--steps", 300, "--threads", 1]
    run = tmp_path / "run"
    assert cli("fit", "vae", table, *words, "--out", run).status == 0
    ask = ["shift", run, 0, "--strengths", "-1,0,1", "--json", "--toward"]
    less, same, more = cli(*ask, "label=b").json["samples"]
    assert less[1] < same[1] < more[1]
    back = cli(*ask, "label=b", "--away", "label=a").json["samples"]
    np.testing.assert_allclose(back, [less, same, more], atol=2e-3)  # Steps are 0.001.
    way = cli("interpolate", run, 0, 1, "--steps", 2, "--json").json["samples"]
    np.testing.assert_allclose(same, way[0], atol=2e-3)
    assert "label must be one of a, b" in cli(*ask, "label=c").line
    assert "separated by commas" in cli(*ask[:3], "--toward", "label=a", "--strengths", "x").line


def test_latents_of_a_gan_are_sought(cli: Callable, fitted: Fitted, table: Path) -> None:
    run = fitted("gan-table")
    answer = cli("encode", run, table, "--json").json
    size = answer["latent"]
    assert answer["columns"] == [f"z{i}" for i in range(1, size + 1)]
    assert answer["latents"] == cli("encode", run, table, "--json").json["latents"]
    way = cli("interpolate", run, 0, 1, "--steps", 3, "--json").json["samples"]
    assert np.shape(way) == (3, 2)


def test_examples_are_made_again_of_their_latents(
    cli: Callable, fitted: Fitted, table: Path, tmp_path: Path
) -> None:
    run = fitted("ae-table")
    answer = cli("reconstruct", run, table, "--json").json
    assert answer["columns"] == ["height", "weight"]
    assert np.shape(answer["samples"]) == (240, 2)
    way = cli("interpolate", run, 0, 1, "--steps", 2, "--json").json["samples"]
    row = tmp_path / "one.csv"
    first = Run.open(run).data().test.x[0].tolist()
    row.write_text("height,weight\n" + ",".join(map(str, first)) + "\n")
    one = cli("reconstruct", run, row, "--json").json["samples"]
    np.testing.assert_allclose(one, way[:1], rtol=1e-5)
    out = tmp_path / "digits.png"
    assert cli("reconstruct", fitted("image-vae-digits"), "digits", "--out", out).status == 0
    assert "kde has no latents" in cli("reconstruct", fitted("kde-table"), table).line
