from pathlib import Path

import pytest

from ancestral.data.dataset import Dataset
from ancestral.data.text import Corpus
from ancestral.errors import DataError
from ancestral.evaluation.setting import Setting
from ancestral.recipes import Run, evaluate_run, fit
from ancestral.recipes.kinds import other_text

SETTING = Setting(samples=20, seed=0)
NAMES = ["log_prob", "perplexity", "bits_per_char", "bits_per_byte", "distinct_2"]


@pytest.fixture
def fitted(verses_txt: Path, tmp_path: Path) -> Run:
    settings = {"tokenizer": "character", "window": 32}
    return fit("kneser-ney", str(verses_txt), settings=settings, out=str(tmp_path / "run"))


def corpus_of(data: Dataset) -> Corpus:
    assert data.corpus is not None
    return data.corpus


def test_the_own_text_as_another_is_the_own_test_split(fitted: Run, verses_txt: Path) -> None:
    own = evaluate_run(fitted, setting=SETTING)
    other = evaluate_run(fitted, str(verses_txt), setting=SETTING)
    assert set(corpus_of(other.data).test) == set(corpus_of(own.data).test)
    for name in NAMES[:4]:
        mine, theirs = own.evaluation.figures[name], other.evaluation.figures[name]
        assert mine is not None
        assert theirs is not None
        assert theirs.value == pytest.approx(mine.value, rel=1e-9)
        assert theirs.se == pytest.approx(mine.se, rel=1e-9)
    # The same texts are drawn; the human text beside them comes in another order.
    mine, theirs = (each.evaluation.figures["memorised_fraction"] for each in (own, other))
    assert mine is not None
    assert theirs is not None
    assert (theirs.value, theirs.se) == (mine.value, mine.se)
    assert other.report is None
    note = "36 of 40 documents are equal or nearly equal to training or validation documents"
    assert any(line.startswith(note) for line in other.evaluation.notes)


def test_another_text_is_read_by_the_tokenizer_of_the_run(fitted: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("El mar calla.\nLa luna, no.\nEl mar  calla.\n", encoding="utf-8")
    data = other_text(fitted, str(path))
    corpus = corpus_of(data)
    assert corpus.tokenizer == fitted.tokenizer()
    assert list(corpus.test) == ["El mar calla.", "La luna, no."]
    assert (data.duplicates_removed, data.name) == (1, "other.txt")
    own = corpus_of(fitted.data())
    assert list(corpus.train) == list(own.train)
    found = evaluate_run(fitted, str(path), setting=SETTING)
    assert list(found.evaluation.figures) == [*NAMES, "memorised_fraction"]
    assert all(found.evaluation.figures.values())


def test_one_document_has_no_standard_error(fitted: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("luna", encoding="utf-8")
    figures = evaluate_run(fitted, str(path), setting=SETTING).evaluation.figures
    for name in NAMES[:4]:
        figure = figures[name]
        assert figure is not None
        assert figure.se is None
    copied = figures["memorised_fraction"]
    assert copied is not None
    assert copied.floor is None


def test_nothing_unseen_is_refused(fitted: Run, tmp_path: Path) -> None:
    path = tmp_path / "seen.txt"
    path.write_text("\n".join(corpus_of(fitted.data()).train), encoding="utf-8")
    with pytest.raises(DataError, match=r"seen\.txt: every document of it stands in the training"):
        other_text(fitted, str(path))


def test_without_the_own_text_memorisation_is_a_dash(
    fitted: Run, verses_txt: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.txt"
    path.write_text(verses_txt.read_text("utf-8"), encoding="utf-8")
    verses_txt.unlink()
    found = evaluate_run(fitted, str(path), setting=SETTING)
    assert len(corpus_of(found.data).test) == 40
    assert found.evaluation.figures["memorised_fraction"] is None
    assert found.evaluation.figures["distinct_2"] is not None
    assert any("nor memorisation measured" in note for note in found.evaluation.notes)
