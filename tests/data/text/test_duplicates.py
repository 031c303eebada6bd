from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestral.data.text import Found, distinct, duplicates, find_documents

WORDS = [f"w{number}" for number in range(400)]


def lines(folder: Path, texts: list[str]) -> Found:
    path = folder / "a.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    return find_documents(path, "lines")


def jaccard(a: str, b: str) -> float:
    one, two = (
        {tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in (a.split(), b.split())
    )
    return len(one & two) / max(len(one | two), 1)


def test_equal_documents_are_removed_and_counted(tmp_path: Path) -> None:
    found = lines(tmp_path, ["uno dos", "tres", "uno  dos ", "Uno dos", "tres", "tres"])
    kept, equal, near = distinct(found)
    assert kept.tolist() == [True, True, False, True, False, False]
    assert (equal, near) == (3, 0)


def test_near_duplicates_are_removed_and_counted(tmp_path: Path) -> None:
    first = " ".join(WORDS[:100])
    # One word of 100 changed spoils 5 of 96 runs: index 91 / 101. Three far apart: 81 / 111.
    near = first.replace("w50", "otra")
    far = first.replace("w20", "otra").replace("w50", "otra").replace("w80", "otra")
    assert jaccard(first, near) == pytest.approx(91 / 101)
    assert jaccard(first, far) == pytest.approx(81 / 111)
    kept, equal, close = distinct(lines(tmp_path, [first, far, near, "corta", first]))
    assert kept.tolist() == [True, True, False, True, False]
    assert (equal, close) == (1, 1)


@pytest.mark.parametrize(
    "first", [0x0E01, 0x1000, 0x1780, 0x3041, 0x4E00, 0x20000], ids=hex
)  # Thai, Burmese, Khmer, Japanese, Chinese, rarer Chinese.
def test_near_duplicates_are_found_in_scripts_without_blanks(tmp_path: Path, first: int) -> None:
    random = np.random.default_rng(first)
    texts = ["".join(map(chr, first + random.integers(0, 20, 60))) for _ in range(50)]
    near = [text[:30] + chr(first + 20) + text[31:] for text in texts]
    kept, equal, close = distinct(lines(tmp_path, [*texts, *near]))
    assert kept.tolist() == [True] * 50 + [False] * 50
    assert (equal, close) == (0, 50)


def test_characters_of_scripts_without_blanks_are_words_among_others(tmp_path: Path) -> None:
    found = lines(tmp_path, ["漢字 ab一ñandú。x", "漢 字 ab 一 ñandú 。 x"])
    first, second = (duplicates.shingles(found.raw(index)).tolist() for index in (0, 1))
    assert len(first) == 3
    assert first == second
    assert len(duplicates.shingles("안녕 하세요 여러 분 모두".encode())) == 1  # Blanks, in Korean.


def test_short_documents_are_never_nearly_equal(tmp_path: Path) -> None:
    kept, equal, near = distinct(lines(tmp_path, ["a b c d", "a b c e", "a b c d f", "a b c d g"]))
    assert kept.all()
    assert (equal, near) == (0, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_removed_is_a_duplicate_and_what_is_clearly_one_is_removed(
    tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    base = [random.choice(WORDS, 60).tolist() for _ in range(3)]
    texts = []
    for _ in range(12):
        words = list(base[random.integers(3)])
        for place in random.integers(0, 60, random.integers(0, 4)):
            words[place] = str(random.choice(WORDS))
        texts.append(" ".join(words))
    kept, equal, near = distinct(lines(tmp_path, texts))
    assert equal == len(texts) - len(set(texts))
    assert equal + near == (~kept).sum()
    for index, text in enumerate(texts):
        closest = max(
            (jaccard(text, other) for other in np.array(texts)[:index][kept[:index]]), default=0
        )
        if not kept[index]:
            assert closest >= 0.8
        # At 0.9 a pair is missed with probability (1 - 0.9^4)^16 = 3e-8.
        assert kept[index] or closest >= 0.8
        assert not (kept[index] and closest >= 0.9)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from("abñ"), min_size=1, max_size=9), min_size=1),
    size=st.integers(1, 60),
)
def test_runs_of_words_are_those_of_python_in_any_batches(
    tmp_path: Path, texts: list[list[str]], size: int
) -> None:
    found = lines(tmp_path, [" ".join(words) for words in texts])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BATCH", size)
        parted = distinct(found)
    whole = distinct(found)
    assert parted[0].tolist() == whole[0].tolist()
    assert parted[1:] == whole[1:]
    for index, words in enumerate(texts):
        runs = {tuple(words[i : i + 5]) for i in range(len(words) - 4)}
        assert len(duplicates.shingles(found.raw(index))) == len(runs)
