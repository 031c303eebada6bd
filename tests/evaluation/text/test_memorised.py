import numpy as np
import pytest

from ancestral.evaluation.text.memorised import Match, Memory, covered, memorised_fraction

CORPUS = np.random.default_rng(0).integers(0, 50, 5_000)


def test_a_copy_is_found_where_it_stands() -> None:
    fresh = np.full(10, 77)
    text = np.concatenate((fresh, CORPUS[100:140], fresh))
    memory = Memory(CORPUS, least=20)
    assert memory.matches(text) == [Match(10, 50)]
    assert covered(memory.matches(text), len(text)).sum() == 40


def test_short_matches_do_not_count() -> None:
    text = np.concatenate((CORPUS[100:119], [77], CORPUS[300:320]))
    assert Memory(CORPUS, least=20).matches(text) == [Match(20, 40)]


def test_overlapping_matches_cover_each_token_once() -> None:
    corpus = np.array([1, 2, 3, 4, 9, 3, 4, 5, 6])
    memory = Memory(corpus, least=3)
    text = np.array([1, 2, 3, 4, 5, 6])
    assert memory.matches(text) == [Match(0, 4), Match(2, 6)]
    assert covered(memory.matches(text), len(text)).all()


def test_copies_are_told_from_fresh_text() -> None:
    rng = np.random.default_rng(1)
    memory = Memory(CORPUS, least=10)
    fresh = [rng.integers(0, 50, 100) for _ in range(20)]
    copies = [CORPUS[i : i + 100] for i in range(0, 2000, 100)]
    assert memorised_fraction(memory, fresh).value == 0
    assert memorised_fraction(memory, copies).value == 1
    half = memorised_fraction(memory, fresh[:10] + copies[:10])
    assert half.value == pytest.approx(0.5)
    # Ten of twenty equal texts: sd sqrt(0.25 * 20 / 19) over the root of 20.
    assert half.se == pytest.approx(np.sqrt(0.25 / 19))


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 texts"):
        memorised_fraction(Memory(CORPUS), [CORPUS[:30]])
    with pytest.raises(ValueError, match="least must be at least 1, got 0"):
        Memory(CORPUS, least=0)
