from pathlib import Path

import pytest

from ancestral.errors import DamagedFileError, RunError
from ancestral.training.metrics import MetricsFile, read_metrics


def write(path: Path, steps: range, keep: int = 0) -> None:
    file = MetricsFile(path, keep=keep)
    for step in steps:
        file.write({"step": step, "metrics": {"loss": 1.0 / step}})
    file.close()


def test_rows_past_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, range(1, 9))
    write(path, range(6, 8), keep=5)
    assert [row["step"] for row in read_metrics(path)] == [1, 2, 3, 4, 5, 6, 7]
    assert path.read_text().splitlines()[0] == '{"format": 2}'


def test_a_new_start_forgets_all(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, range(1, 4))
    write(path, range(1, 2))
    assert len(read_metrics(path)) == 1


def test_a_line_cut_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, range(1, 4))
    path.write_text(path.read_text() + '{"step": 4, "met')
    assert [row["step"] for row in read_metrics(path)] == [1, 2, 3]


def test_damage_elsewhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"format": 1}\n{"step": 1}\nnot json\n{"step": 3}\n')
    with pytest.raises(DamagedFileError, match="line 3"):
        read_metrics(path)
    path.write_text('{"format": 3}\n')
    with pytest.raises(RunError, match="newer version"):
        read_metrics(path)


def test_no_file_has_no_rows(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "none.jsonl") == []
    with pytest.raises(RunError, match="cannot write"):
        MetricsFile(tmp_path / "no" / "folder.jsonl")
