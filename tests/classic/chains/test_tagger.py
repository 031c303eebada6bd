from pathlib import Path

import pytest

from ancestral.classic import Tagger, most_frequent_tags, share_equal
from ancestral.data import read_conllu
from ancestral.errors import CapabilityError, DataError

SENTENCES = [["la", "mesa", "es", "grande"], ["el", "gato", "come"], ["la", "casa", "es", "la"]]
TAGS = [["DET", "NOUN", "AUX", "ADJ"], ["DET", "NOUN", "VERB"], ["DET", "NOUN", "AUX", "PRON"]]


def test_it_learns_from_the_words_and_from_the_tags_before() -> None:
    tagger = Tagger(least=1).fit(SENTENCES, TAGS)
    assert tagger.accuracy(SENTENCES, TAGS) == 1  # `la` is DET first and PRON after AUX.
    assert tagger.tag([["La", "taza", "es", "verde"], [], ["el"]]) == [
        ["DET", "NOUN", "AUX", "ADJ"],
        [],
        ["DET"],
    ]
    assert tagger.tag([[]]) == [[]]


def test_the_model_is_an_hmm_whose_rows_are_counts() -> None:
    tagger = Tagger(alpha=1e-9, least=1).fit(SENTENCES, TAGS)
    assert tagger.model is not None
    index = {tag: number for number, tag in enumerate(tagger.tags)}
    transition = tagger.model.transition
    assert transition[index["DET"], index["NOUN"]].item() == pytest.approx(1)
    assert transition[index["AUX"], index["ADJ"]].item() == pytest.approx(0.5)


def test_real_spanish_beats_the_most_frequent_tag(real_data: Path) -> None:
    folder = real_data / "pos-es"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    train, test = (read_conllu(folder / f"es_gsd-ud-{part}.conllu") for part in ("dev", "test"))
    assert (len(train), len(test), sum(len(each.words) for each in test)) == (1400, 427, 12002)
    words, tags = [each.words for each in train], [each.tags for each in train]
    asked, right = [each.words for each in test], [each.tags for each in test]
    accuracy = Tagger().fit(words, tags).accuracy(asked, right)
    frequent, usual = most_frequent_tags(words, tags)
    baseline = share_equal([[frequent.get(w, usual) for w in row] for row in asked], right)
    assert baseline == pytest.approx(0.825, abs=0.001)
    assert accuracy > 0.92


def test_mistakes_are_named() -> None:
    with pytest.raises(CapabilityError, match="call fit first"):
        Tagger().tag([["a"]])
    with pytest.raises(DataError, match="sentence 1 must have 3 tags, one a word, got 4"):
        Tagger().fit(SENTENCES[:2], [TAGS[0], TAGS[0]])
    with pytest.raises(DataError, match="tags must be of 3 sentences, got 1"):
        Tagger().fit(SENTENCES, TAGS[:1])
    with pytest.raises(DataError, match="sentence 0 has none"):
        Tagger().fit([[]], [[]])
    with pytest.raises(DataError, match="at least 1 sentence"):
        Tagger().fit([], [])
    with pytest.raises(ValueError, match="alpha must be above 0, got 0"):
        Tagger(alpha=0)
    with pytest.raises(ValueError, match="least must be at least 1, got 0"):
        Tagger(least=0)
