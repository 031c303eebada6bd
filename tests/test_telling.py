import time

import pytest

from ancestral import telling
from ancestral.telling import Lines, beat, time_left, watched


def test_a_line_comes_each_half_minute_also_where_nothing_rises(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "EVERY", 0.02)
    lines = Lines(patience=0.0)
    for _ in range(3):
        lines.turn("fit kde", 0.05)
        time.sleep(0.03)
    err = capsys.readouterr().err
    assert err.count("fit kde: 5% after 0 s, ") == 2


def test_a_computation_tells_whoever_listens_and_inherits_him() -> None:
    shares: list[float] = []
    beat(0.1)  # Nobody does.
    with watched(shares.append):
        beat(0.2)
        with watched(seconds=0.0):
            beat(0.3)
            assert time_left() <= 0
        assert time_left() > 1e9
    beat(0.4)
    assert shares == [0.2, 0.3]
