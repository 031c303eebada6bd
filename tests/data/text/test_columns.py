import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ancestral.data import Loading, TextLoading, load
from ancestral.data.text import Tokenizer, find_documents, tokenise_documents
from ancestral.data.text.columns import open_sources
from ancestral.errors import DataError

TEXTS = ["uno, dos", 'tres\n"cuatro"', "", "  ", "año; 漢", "cinco", *map(str, range(20))]
FILLED = [text for text in TEXTS if text.strip()]


def table(path: Path, name: str = "body") -> Path:
    """Write the texts beside another column, in the format of the ending."""
    rows = [{"id": index, name: text} for index, text in enumerate(TEXTS)]
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
        return path
    if path.suffix in {".json", ".jsonl"}:
        lines = [json.dumps(row) for row in rows]
        text = "\n".join(lines) if path.suffix == ".jsonl" else f"[{','.join(lines)}]"
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        quoted = ['"' + text.replace('"', '""') + '"' for text in TEXTS]
        text = f"id{mark}{name}\n" + "".join(f"{i}{mark}{t}\n" for i, t in enumerate(quoted))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "json", "jsonl", "CSV"])
def test_each_row_is_a_document(tmp_path: Path, ending: str) -> None:
    path = table(tmp_path / f"notes.{ending}")
    found = find_documents(path, "auto", open_sources(path, "body"))
    assert [found.text(index) for index in range(len(found))] == FILLED
    assert found.unit == "rows"
    assert found.notes == ("each row is a document; 2 without text are passed over",)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_column_becomes_a_corpus_and_is_loaded_again(tmp_path: Path, ending: str) -> None:
    path = table(tmp_path / f"notes.{ending}")
    loading = Loading(text=TextLoading(tokenizer="character", window=8, column="body"))
    data = load(str(path), loading)
    assert (data.kind, data.name) == ("text", "notes")
    parts = (data.text.train, data.text.validation, data.text.test)
    assert sorted(text for part in parts for text in part) == sorted(FILLED)
    again = load(str(path), loading)
    assert again.fingerprint == data.fingerprint
    assert list(again.text.train) == list(data.text.train)


def test_the_same_letters_in_other_rows_are_other_data(tmp_path: Path) -> None:
    loading = Loading(text=TextLoading(tokenizer="character", window=4, column="t"))
    found = []
    for name, rows in (("a", ["ab", "c", "d", "ef"]), ("b", ["a", "bc", "d", "ef"])):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(json.dumps({"t": text}) for text in rows))
        corpus = load(str(path), loading).text
        found.append(sorted([*corpus.train, *corpus.validation, *corpus.test]))
    assert found == [["ab", "c", "d", "ef"], ["a", "bc", "d", "ef"]]


def test_a_column_is_tokenised_for_a_run(tmp_path: Path) -> None:
    path = table(tmp_path / "notes.csv")
    tokenizer = Tokenizer.train(FILLED, kind="character")
    assert list(tokenise_documents(path, tokenizer, column="body")) == FILLED
    (tmp_path / "a.txt").write_text("uno\ndos")  # A text has no columns and needs none.
    assert list(tokenise_documents(tmp_path / "a.txt", tokenizer, column="body")) == ["uno", "dos"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"id,text\n1,uno\n", r"no column 'body'; there is id, text"),
        ("a.jsonl", b'{"text": "uno"}\n', r"no column 'body'; there is text"),
        ("a.jsonl", b'{"body": "uno"}\n{"body": 5}\n', r"row 2, column 'body': 5 is not a text"),
        ("a.jsonl", b'{"body": "\\ud800"}\n', r"row 1, column 'body': .* half a character"),
        ("a.jsonl", b'{"body": "\\u0000"}\n', r"row 1, column 'body': .* NUL"),
        ("a.jsonl", b"[1]\n", r"row 1 must be an object with 'body' in it"),
        ("a.json", b'{"body": ', r"cannot be read as JSON"),
        ("a.csv", "id,body\n1,año\n".encode("cp1252"), r"must be UTF-8, but byte 11 \(line 2\)"),
        ("a.txt", b"uno\n", r"has no column 'body': it is no table"),
        ("none.csv", None, r"none\.csv: cannot be read: No such file"),
    ],
)
def test_what_has_no_such_texts_is_refused(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        load(str(tmp_path / name), Loading(text=TextLoading(column="body")))


def test_rows_are_the_documents_of_a_column(tmp_path: Path) -> None:
    path = table(tmp_path / "notes.csv")
    with pytest.raises(DataError, match="documents must be left out with column, got lines"):
        load(str(path), Loading(text=TextLoading(column="body", documents="lines")))


def test_where_texts_stand_in_a_table_the_column_is_asked_for(tmp_path: Path) -> None:
    for name in ("notes.csv", "notes.jsonl"):
        with pytest.raises(DataError) as caught:
            load(str(table(tmp_path / name)))
        assert "body is an identifier" in caught.value.line
        assert "if texts, --set column=NAME to a language model" in caught.value.line
