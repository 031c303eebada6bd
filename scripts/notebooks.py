"""Make a Jupyter notebook of each chapter page of the book, in English and Spanish.

The text becomes cells of text, each block of Python a cell of code without its answers: they come
when it is run. The command that makes the chapter anew becomes a call.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
OUT = DOCS / "_build" / "notebooks"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^ancestral reproduce (\d+)", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]*\)")


def code_of(block: str) -> str:
    """Return the lines of a doctest that are typed."""
    lines = block.splitlines()
    return "\n".join(line[4:] for line in lines if line.startswith((">>>", "...")))


def cells_of(page: str, language: str) -> list[dict[str, Any]]:
    """Return the cells of a page."""
    cells, end = [], 0
    for match in [*_BLOCK.finditer(page), None]:
        text = page[end : match.start() if match else None].strip()
        if text:
            cells.append(_cell("markdown", _LINK.sub(r"\1", text)))
        if match is None:
            break
        end, (kind, block) = match.end(), match.groups()
        if kind == "python":
            cells.append(_cell("code", code_of(block)))
        else:
            cells.append(_cell("markdown", match.group().strip()))
            cells += [
                _cell(
                    "code",
                    "from ancestral import reproduce\n"
                    f'reproduce("{chapter}", language="{language}", quick=True).counts',
                )
                for chapter in _COMMAND.findall(block)
            ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return cells


def notebook(page: str, language: str) -> dict[str, Any]:
    """Return a page as a notebook, format 4.5."""
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells_of(page, language),
        "metadata": {"kernelspec": python, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def main() -> int:
    """Write all notebooks below docs/_build/notebooks."""
    for page in sorted(DOCS.glob("*/book/chapter-*.md")):
        language = page.parts[-3]
        path = OUT / language / f"{page.stem}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        made = notebook(page.read_text("utf-8"), language)
        path.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(os.path.relpath(OUT))
    return 0


def _cell(kind: str, source: str) -> dict[str, Any]:
    more = {"execution_count": None, "outputs": []} if kind == "code" else {}
    lines = source.splitlines(keepends=True)
    return {"cell_type": kind, "metadata": {}, "source": lines, **more}


if __name__ == "__main__":
    sys.exit(main())
