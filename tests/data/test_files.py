from pathlib import Path

import pytest

from ancestral.data.files import atomic, reason, shown
from ancestral.errors import RunError


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic(path) as draft:
        draft.write_text("half \udcff", encoding="utf-8")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_replaces_the_old_file_with_the_usual_mode(tmp_path: Path) -> None:
    path, plain = tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_text("old")
    plain.write_text("any")
    with atomic(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.txt"
    with (
        pytest.raises(RunError, match=r"^cannot write .*a\.txt: No such file or directory$"),
        atomic(path),
    ):
        pass


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No space left"), atomic(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_text() -> None:
    assert shown("a\udcff") == "a\ufffd"
    assert reason(ValueError("two\nlines")) == "two lines"
    assert reason(EOFError()) == "EOFError"
