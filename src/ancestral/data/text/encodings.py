"""What to do about a file that is not UTF-8: it depends on what it is in place of that."""

import codecs
from collections.abc import Iterable

import numpy as np

_UNUSED = [0xDC00 + byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)]
"""Bytes that Windows-1252 does not use, as Python's decoder of UTF-8 lets them through."""

_WESTERN = 0.3
"""Letters beyond ASCII are fewer than this share of a text in a Western language."""


def encoding_advice(parts: Iterable[bytes], near: bytes) -> str:
    r"""Return how to mend a file that is not UTF-8.

    Args:
        parts: All its bytes, in order.
        near: A few bytes about the first one that is wrong.

    Example:
        >>> encoding_advice(["un a\u00f1o".encode("cp1252")], "a\u00f1o".encode("cp1252"))
        "as Windows-1252 it reads 'año'; if that is right, convert it: iconv -f cp1252 -t utf-8"
        >>> encoding_advice(["un año, otro año ".encode() + b"\xf1"], b"\xf1")
        'all else in it is UTF-8, so mend it there (1 such byte), or drop it: iconv -c -t utf-8'
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    total = good = bad = unused = 0
    for part in [*parts, b""]:
        text = decoder.decode(part, final=not part)
        letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        stray = (letters >= 0xDC80) & (letters <= 0xDCFF)
        total += len(letters)
        bad += int(stray.sum())
        good += int(((letters >= 0x80) & ~stray).sum())
        unused += int(np.isin(letters, _UNUSED).sum())
    if good > bad:
        count = "1 such byte" if bad == 1 else f"{bad:,} such bytes"
        return f"all else in it is UTF-8, so mend it there ({count}), or drop it: iconv -c -t utf-8"
    if not unused and bad < _WESTERN * total:
        return (
            f"as Windows-1252 it reads {near.decode('cp1252', 'replace').strip()!r}; if that is "
            "right, convert it: iconv -f cp1252 -t utf-8"
        )
    return (
        "convert it from the encoding that it has, such as gbk, shift_jis or cp1251: "
        "iconv -f gbk -t utf-8"
    )
