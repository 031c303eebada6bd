from collections.abc import Callable
from pathlib import Path

import pytest


def test_the_command(cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "es_CL.UTF-8")
    assert "Integral de" in cli("reproduce").out
    done = cli("reproduce", "PR-06", "--lang", "en", "--out", str(tmp_path / "a"), "--json")
    assert done.json["counts"] == {"equal": 3}
    assert done.json["entries"][1]["found"] == pytest.approx(23 / 126)
    shown = cli("reproduce", "PR-06", "--out", str(tmp_path / "b"))
    assert shown.status == 0
    assert "3 entries: 3 equal" in shown.out
    assert 'lang="es"' in (tmp_path / "b" / "index.html").read_text("utf-8")
    assert "got 'nothing'" in cli("reproduce", "nothing").line
