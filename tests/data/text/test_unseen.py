from pathlib import Path

import pytest

from ancestral.data.text import Tokenizer, tokenise_documents, unseen_documents
from ancestral.errors import DataError


def test_documents_seen_are_left_out(tmp_path: Path) -> None:
    long = " ".join(f"w{number}" for number in range(100))
    (tmp_path / "seen.txt").write_text(f"uno\n{long}\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text(f"dos\nuno \n{long.replace('w50', 'otra')}\n")
    (tmp_path / "other" / "b.txt").write_text("tres\ndos\n")
    tokenizer = Tokenizer.train(["uno dos"], pieces=261)
    seen = tokenise_documents(tmp_path / "seen.txt", tokenizer)
    found = unseen_documents(tmp_path / "other", tokenizer, [seen, seen])
    assert list(found.documents) == ["dos", "tres"]
    assert found.documents.ids(1).tolist() == [
        tokenizer.special.bos,
        *tokenizer.encode("tres"),
        tokenizer.special.eos,
    ]
    assert found.removed == 3
    assert found.notes[1].startswith("3 of 5 documents are equal or nearly equal")
    alone = unseen_documents(tmp_path / "other", tokenizer)
    assert alone.removed == 1
    with pytest.raises(DataError, match="nothing in it is held out"):
        unseen_documents(tmp_path / "seen.txt", tokenizer, [seen])
