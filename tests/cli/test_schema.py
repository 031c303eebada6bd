import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    rows = [f"{i % 7 + 20},{'uv'[i % 2]},{i % 3}.5,{'' if i == 4 else 'x'}\n" for i in range(30)]
    path.write_text("age,kind,price,note\n" + "".join(rows))
    return path


def test_a_schema_is_shown_written_and_read(cli: Callable, people: Path, tmp_path: Path) -> None:
    shown = tomllib.loads(cli("schema", people).out)
    assert shown["age"] == {"type": "integer", "resolution": 1, "low": 20, "high": 26}
    assert shown["kind"] == {"type": "category", "states": ["u", "v"]}
    out = tmp_path / "own.toml"
    said = cli("schema", people, "--out", out, "--set", "drop=note", "type.age=category")
    assert said.out == f"{out}\n"
    assert any(line.startswith("kind    category") for line in said.err.splitlines())
    assert tomllib.loads(out.read_text())["note"] == {"type": "left out"}
    again = cli("schema", people, "--set", f"schema={out}", "--json").json
    assert [column["name"] for column in again["columns"]] == ["age", "kind", "price"]
    assert again["columns"][0]["states"] == [str(age) for age in range(20, 27)]
    assert again["left_out"] == ["note"]
    assert "exists; choose another --out" in cli("schema", people, "--out", out).line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits"], "a schema is of a table, digits holds images"),
        (["people.csv", "--set", "drop=ages"], "no column 'ages', as drop has; did you mean age?"),
        (["people.csv", "--set", "type.kind=number"], "column 'kind': 'u' is not a number"),
        (["people.csv", "--set", "type.kind=word"], "type must be one of number, integer, cat"),
        (["people.csv", "--set", "header=perhaps"], "header must be true or false or none, got"),
    ],
)
def test_what_cannot_be_said(
    cli: Callable,
    people: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(people.parent)
    assert message in cli("schema", *words).line
