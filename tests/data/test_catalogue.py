import subprocess
import sys
from pathlib import Path

import pytest

from ancestral.data import describe, load
from ancestral.data.catalogue import NAMES
from ancestral.data.toys import TOYS


def test_every_name_is_described_in_order() -> None:
    assert tuple(info.name for info in describe()) == NAMES
    assert set(TOYS) < set(NAMES)


@pytest.mark.parametrize("name", [*TOYS, "digits"])
def test_what_is_said_is_what_is_loaded(name: str) -> None:
    info = next(info for info in describe() if info.name == name)
    data = load(name)
    assert info.available
    assert info.kind == data.kind
    assert info.event_shape == data.event_shape


def test_absent_sources_say_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANCESTRAL_DATA", str(tmp_path))
    mnist = describe()[-1]
    assert not mnist.available
    assert "ANCESTRAL_DATA" in mnist.how
    (tmp_path / "mnist").mkdir()
    assert describe()[-1].available
    assert describe()[-1].how == ""


def test_describing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ancestral.data import describe; describe(); "
        "print(sorted({'torch', 'numpy', 'sklearn', 'PIL', 'pyarrow'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
