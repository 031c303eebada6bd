"""Answers to where the user wants them: a file, a folder, the JSON object or standard output."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ancestral.cli import console

if TYPE_CHECKING:
    from ancestral.data.answers import Answer


def deliver(answer: "Answer", asked: dict[str, Any], *, out: Path | None, json: bool) -> None:
    """Write to a file, or put into the JSON object, or show on standard output.

    Args:
        answer: What is delivered.
        asked: What was asked, the begin of the JSON object.
        out: Where to; None for the answer's own place, if it has one.
        json: Print the JSON object.

    Raises:
        ConfigError: If such answers are not written to that ending.
        RunError: If the place cannot be written.
    """
    from ancestral.data.files import make_above

    facts, out = {**asked, **answer.facts}, out or answer.place
    if out is not None:
        make_above(out)
        facts["out"] = str(answer.write(out))
        if not json:
            console.write(facts["out"])
    elif json:
        facts |= answer.to_json()
    else:
        console.stream(answer.show())
    if json:
        console.emit(facts)
