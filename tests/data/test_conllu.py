from pathlib import Path

import pytest

from ancestral.data import read_conllu
from ancestral.errors import DataError


def row(name: str, word: str, tag: str) -> str:
    return "\t".join([name, word, "_", tag, *["_"] * 6]) + "\n"


def test_contractions_and_empty_nodes_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(
        "# text = del gato\n"
        + row("1-2", "del", "_")
        + row("1", "de", "ADP")
        + row("2", "el", "DET")
        + row("2.1", "x", "_")
        + row("3", "ga\u2028to", "NOUN")
        + "\n\n# next\n"
        + row("1", "Sí", "INTJ"),
        encoding="utf-8",
    )
    first, second = read_conllu(path)
    assert first.words == ("de", "el", "ga\u2028to")
    assert first.tags == ("ADP", "DET", "NOUN")
    assert (second.words, second.tags) == (("Sí",), ("INTJ",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "holds no sentence"),
        ("1\ta\n", "line 1 must have 10 columns, got 2"),
        ("# x\n" + row("one", "a", "X"), "line 2 must have a number"),
        (row("1", "a", "_"), "line 1 must have a number, a word and a tag"),
    ],
)
def test_malformed_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_conllu(path)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_conllu(tmp_path / "none.conllu")
    (tmp_path / "latin").write_bytes(b"1\t\xff")
    with pytest.raises(DataError, match="decode"):
        read_conllu(tmp_path / "latin")
