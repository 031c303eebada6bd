from pathlib import Path

import pytest

from ancestral.data.files import atomic, atomic_folder, check_place, make_above, reason, shown
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


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_folder_leaves_the_old_one(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(error), atomic_folder(path) as draft:  # noqa: PT012 - the block is the case
        (draft / "new.txt").write_text("half")
        raise error
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["a", "a/old.txt"]


def test_a_folder_replaces_the_old_one_with_the_usual_mode(tmp_path: Path) -> None:
    path, plain = tmp_path / "a", tmp_path / "b"
    path.mkdir()
    plain.mkdir()
    (path / "old.txt").write_text("old")
    with atomic_folder(path) as draft:
        (draft / "new.txt").write_text("new")
        assert (path / "old.txt").exists()
    assert [file.name for file in path.iterdir()] == ["new.txt"]
    assert path.stat().st_mode == plain.stat().st_mode
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_below_a_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("mine")
    with pytest.raises(RunError, match=r"^cannot write .*: Not a directory$"):
        make_above(file / "b" / "c")
    with (
        pytest.raises(RunError, match=r"^cannot write .*: Not a directory$"),
        atomic_folder(file / "b"),
    ):
        pass
    with pytest.raises(RunError, match="No space left"), atomic_folder(tmp_path / "b"):
        raise OSError(28, "No space left on device")
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]


def test_only_a_place_of_the_same_kind_is_replaced(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    check_place(file, overwrite=False)
    file.write_text("mine")
    folder.mkdir()
    check_place(file, overwrite=True)
    check_place(folder, overwrite=True, ours=["x"])
    (folder / "x").write_text("an earlier one")
    check_place(folder, overwrite=True, ours=["x"])
    for path, overwrite, ours, line in (
        (file, False, [], "a.txt exists; choose another place, or give overwrite=True"),
        (file, True, ["x"], "a.txt is no folder and is not replaced"),
        (folder, True, [], "b is a folder and is not replaced"),
        (folder, True, ["y"], r"b holds other files \(x\) and is not replaced"),
    ):
        with pytest.raises(RunError, match=f"{line}$"):
            check_place(path, overwrite=overwrite, ours=ours)
