from pathlib import Path

import pytest

from ancestral.evaluation import bench_of
from ancestral.recipes import fit
from ancestral.recipes.runs import REPORT
from ancestral.training import Budget

SMALL = {"tokenizer": "word", "window": 16}


def test_a_gpt_shows_what_it_expects_and_what_it_looks_at(verses_txt: Path, tmp_path: Path) -> None:
    tiny = {"size": "tiny", "validate_every": 10, "batch_size": 4}
    run = fit(
        "gpt", str(verses_txt), settings=SMALL | tiny, budget=Budget(steps=20), out=tmp_path / "a"
    )
    data = run.data()
    assert data.corpus is not None
    (expected, bars), (looked, maps) = bench_of(data).pictures(run.model())
    assert expected.startswith("After «Verso ")
    said = expected[len("After «") :].split("»")[0]
    assert any(text.startswith(said) for text in data.corpus.validation)
    assert bars.count("T = ") == 6
    assert looked.startswith("Attention of block 2 of 2")  # The third, or the last of fewer.
    assert ">&lt;BOS&gt;<" in maps
    page = (run.folder / REPORT).read_text("utf-8")
    assert maps in page
    assert bars in page
    assert page.count("training loss") == 1
    assert "validation loss</span>" in page
    assert f"best, step {run.record.result.best_step}<" in page


@pytest.mark.parametrize("model", ["bigram", "kneser-ney"])
def test_every_language_model_shows_what_it_expects(
    verses_txt: Path, tmp_path: Path, model: str
) -> None:
    run = fit(model, str(verses_txt), settings=SMALL, out=tmp_path / "a")
    ((_, bars),) = bench_of(run.data()).pictures(run.model())
    assert bars in (run.folder / REPORT).read_text("utf-8")


def test_other_models_have_none(tmp_path: Path) -> None:
    run = fit("kde", "moons", out=tmp_path / "a")
    assert bench_of(run.data()).pictures(run.model()) == ()
