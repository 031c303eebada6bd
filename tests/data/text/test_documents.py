from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestral.data.text import Found, documents, find_documents
from ancestral.errors import DataError

LETTERS = st.text(st.sampled_from("aé漢 \t.1\r\n"))


def written(folder: Path, text: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def texts(found: Found) -> list[str]:
    return [found.text(index) for index in range(len(found))]


def test_one_document_a_line(tmp_path: Path) -> None:
    found = find_documents(written(tmp_path, "uno\r\n\n  \t\ndos dos\n\ntres"))
    assert texts(found) == ["uno", "dos dos", "tres"]
    assert (found.unit, found.notes) == ("lines", ("each line is a document",))


def test_blank_lines_part_documents_of_several_lines(tmp_path: Path) -> None:
    verses = [f"verso {n},\nsigue {n}" for n in range(10)]
    found = find_documents(written(tmp_path, "\n\n" + "\n \n\n".join(verses) + "\n\n"))
    assert texts(found) == verses
    assert found.unit == "paragraphs"
    few = find_documents(written(tmp_path, "\n\n".join(verses[:9])))  # Too few to be sure.
    assert (few.unit, len(few)) == ("lines", 18)
    asked = find_documents(tmp_path / "a.txt", "paragraphs")
    assert texts(asked) == verses[:9]
    assert asked.notes == ("each paragraph is a document, as asked",)


def test_wrapped_text_is_cut_where_a_line_is_short(tmp_path: Path) -> None:
    full = "palabra " * 8 + "fin"  # 67 bytes.
    paragraph = "\n".join([full] * 5 + ["corta."])
    found = find_documents(written(tmp_path, "\n".join([paragraph] * 12)))
    assert texts(found) == [paragraph] * 12
    assert found.notes[0].endswith("lines are wrapped at 67 bytes")


def test_a_folder_of_files(tmp_path: Path) -> None:
    for number in range(10):
        written(tmp_path, f"cuento {number}\nsigue", f"{number % 2}/{number}.TXT")
    written(tmp_path, " \n", "blank.txt")
    written(tmp_path, "no", ".hidden/x.txt")
    written(tmp_path, "no", "notes.md")
    found = find_documents(tmp_path)
    order = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    assert texts(found) == [f"cuento {number}\nsigue" for number in order]
    note = "each file is a document; 1 without text are passed over"
    assert (found.unit, found.notes) == ("files", (note,))
    assert find_documents(tmp_path, "lines").unit == "lines"


def test_a_folder_of_few_files_is_read_by_lines(tmp_path: Path) -> None:
    written(tmp_path, "uno\ndos\n", "a.txt")
    written(tmp_path, "tres", "b/c.txt")
    found = find_documents(tmp_path)
    assert texts(found) == ["uno", "dos", "tres"]
    assert found.file.tolist() == [0, 0, 1]
    assert texts(find_documents(tmp_path, "files")) == ["uno\ndos\n", "tres"]


def test_the_mark_of_utf8_is_no_text(tmp_path: Path) -> None:
    assert texts(find_documents(written(tmp_path, b"\xef\xbb\xbfuno\ndos"))) == ["uno", "dos"]
    assert texts(find_documents(tmp_path, "files")) == ["uno\ndos"]


@pytest.mark.parametrize("chunk", [2, 7, 1 << 24])
def test_another_encoding_is_refused_and_its_place_named(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "CHUNK", chunk)
    latin = written(tmp_path, "uno\naño\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt: must be UTF-8, but byte 5 \(line 2\) is 0xf1"):
        find_documents(latin)
    # A character that the end of the file cuts, behind one that a chunk cuts.
    with pytest.raises(DataError, match=r"byte 7 \(line 2\) is 0xe6"):
        find_documents(written(tmp_path, "漢é\na漢".encode()[:-1]))


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt: this is no text: byte 4 is NUL"):
        find_documents(written(tmp_path, b"PK\x03\x04\x00\x00"))
    with pytest.raises(DataError, match="must be UTF-8, but begins as UTF-16 does"):
        find_documents(written(tmp_path, "uno".encode("utf-16")))


@pytest.mark.parametrize("text", ["", "\n", " \r\n\t\n\v\f", "\ufeff", "\ufeff \n"])
@pytest.mark.parametrize("unit", ["auto", "lines", "paragraphs", "files"])
def test_an_empty_text_is_refused(tmp_path: Path, text: str, unit: documents.DocumentUnit) -> None:
    with pytest.raises(DataError, match=r"a\.txt: there is no text in it"):
        find_documents(written(tmp_path, text), unit)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot be read: No such file"):
        find_documents(tmp_path / "none.txt")
    with pytest.raises(DataError, match=r"the folder holds no \.txt file"):
        find_documents(tmp_path)


@pytest.mark.parametrize(
    ("raw", "advice"),
    [
        (
            "uno\nun año\nde “luz”".encode("cp1252"),
            r"byte 8 \(line 2\) is 0xf1; as Windows-1252 it reads 'un año'; .*iconv -f cp1252",
        ),
        (
            "año\n".encode() * 400 + b"a\xf1o\n",
            r"\(line 401\) is 0xf1; all else in it is UTF-8, so mend it there \(1 such byte\)",
        ),
        ("привет мир".encode("cp1251"), r"from the encoding that it has, such as gbk"),
        ("今天很高兴".encode("gbk"), r"from the encoding that it has, such as gbk"),
        ("uno".encode("utf-16"), r"begins as UTF-16 does; convert it: iconv -f utf-16 -t utf-8"),
    ],
)
def test_how_to_mend_an_encoding_depends_on_what_it_is(
    tmp_path: Path, raw: bytes, advice: str
) -> None:
    with pytest.raises(DataError, match=advice):
        find_documents(written(tmp_path, raw))


@pytest.mark.parametrize("chunk", [3, 1 << 24])
def test_lines_may_end_with_cr_alone(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "CHUNK", chunk)
    found = find_documents(written(tmp_path, b"uno\rdos dos\r\r \rtres"))
    assert texts(found) == ["uno", "dos dos", "tres"]
    assert found.notes == ("each line is a document; lines end with CR alone",)
    with pytest.raises(DataError, match=r"byte 5 \(line 2\)"):
        find_documents(written(tmp_path, b"uno\ra\xf1o"))


@pytest.mark.parametrize("word", ["año ", "漢", "a\n\n"])
@pytest.mark.parametrize("count", [10, 300, 5_000])
def test_windows_cut_a_text_whatever_its_lines(tmp_path: Path, word: str, count: int) -> None:
    text = word * count
    found = find_documents(written(tmp_path, text), "windows")
    assert "".join(texts(found)) == text
    sizes = found.end - found.start
    size = max(32, min(1_000, len(text.encode()) // 20))
    assert (sizes <= 1.5 * size).all()
    assert (sizes[:-1] >= 0.7 * size).all()
    assert found.notes == (f"each window of about {size:,} bytes is a document, as asked",)
    if word == "año ":
        assert all(part.startswith("año") for part in texts(found))


def test_one_word_is_one_document(tmp_path: Path) -> None:
    assert texts(find_documents(written(tmp_path, "palabra"))) == ["palabra"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=LETTERS, chunk=st.integers(1, 40))
def test_lines_are_those_of_python_in_any_chunking(tmp_path: Path, text: str, chunk: int) -> None:
    path = written(tmp_path, text)
    mark = "\r" if "\r" in text and "\n" not in text else "\n"
    wanted = [line.removesuffix("\r") for line in text.split(mark) if line.strip()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "CHUNK", chunk)
        if not wanted:
            with pytest.raises(DataError, match="there is no text"):
                find_documents(path, "lines")
            return
        assert texts(find_documents(path, "lines")) == wanted
        # Paragraphs hold the same lines, and nothing else than blank lines parts them.
        joined = texts(find_documents(path, "paragraphs"))
    assert [line for part in joined for line in part.replace("\r\n", "\n").split(mark)] == wanted


def test_select_keeps_the_order_asked_for(tmp_path: Path) -> None:
    found = find_documents(written(tmp_path, "uno\ndos\ntres"))
    assert texts(found.select(np.array([2, 0]))) == ["tres", "uno"]
    assert texts(found.select(np.array([False, True, True]))) == ["dos", "tres"]
