"""The options of text and how it is shown: the part of ``sample`` that is for language models."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ancestral.cli import console
from ancestral.cli.options import Common, Destination, Flag, Text
from ancestral.cli.written import deliver
from ancestral.errors import CapabilityError, ConfigError

if TYPE_CHECKING:
    from ancestral.recipes import Run
    from ancestral.recipes.generating import Writer, Writing

TEXT = Group("Of language models", sort_key=50)

Words = Annotated[list[str] | None, Parameter(negative="", allow_leading_hyphen=True)]


@Parameter(name="*", group=TEXT)
@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """Options of ``sample`` for runs on text.

    Parameters
    ----------
    prompt
        What the text begins with.
    max_tokens
        Most tokens of each text; 256 if not given.
    temperature
        0 takes the most probable token; 0.8 if not given, as in the book.
    top_k
        Keep so many of the most probable tokens; 50 if not given, 0 keeps all.
    top_p
        Keep this mass of the most probable tokens.
    min_p
        Keep tokens of at least this share of the largest probability.
    typical
        Keep this mass of the tokens nearest to the entropy.
    repetition_penalty
        At least 1; 1.01 if not given, and it grows with the count, as in the book.
    frequency_penalty
        Nats for each time that a token was generated.
    presence_penalty
        Nats for a token that was generated.
    no_repeat_ngram
        Length of the stretches of tokens that must not come twice.
    stop
        Strings before which a text ends.
    regex
        A regular expression that the continuation matches.
    schema
        A file with a JSON schema that the continuation fits.
    beams
        Beams of a beam search, in place of draws.
    contrastive
        Degree of contrastive search, in place of draws: above 0, at most 1.
    draft
        A smaller run of the same tokenizer, or ngram: the same draws, made faster.
    int8
        Compute with weights of eight bits: faster where weights are many, nearly the same model.
    """

    prompt: Text = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    no_repeat_ngram: int | None = None
    stop: Words = None
    regex: Text = None
    schema: Path | None = None
    beams: int | None = None
    contrastive: float | None = None
    draft: str | None = None
    int8: Flag = False

    def refuse(self, run: "Run") -> None:
        """Refuse options of text for a run of anything else.

        Raises:
            CapabilityError: If one was given.
        """
        given = [
            name for name, value in vars(self).items() if value is not None and value is not False
        ]
        if given:
            option = "--" + given[0].replace("_", "-")
            kind = run.record.data.kind
            raise CapabilityError(f"{option} is of language models, {run.folder} models {kind}")

    def read(self, n: int, seed: int) -> "Writing":
        """Return what is to be written.

        Raises:
            ConfigError: If a value is out of its range.
        """
        from ancestral.autoregressive.decoding import Decoding
        from ancestral.recipes.generating import Writing, read_schema

        names = ("temperature", "top_p", "min_p", "typical", "repetition_penalty")
        names += ("frequency_penalty", "presence_penalty", "no_repeat_ngram")
        changes = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.top_k is not None:
            changes["top_k"] = self.top_k or None
        return Writing(
            prompt=self.prompt or "",
            n=n,
            max_tokens=256 if self.max_tokens is None else self.max_tokens,
            decoding=Decoding().but(**changes),
            stop=tuple(self.stop or ()),
            regex=self.regex,
            schema=None if self.schema is None else read_schema(self.schema),
            beams=self.beams or 0,
            contrastive=self.contrastive or 0.0,
            draft=self.draft,
            seed=seed,
        )


def write_texts(run: "Run", n: int, text: TextOptions, to: Destination, common: Common) -> int:
    """Write texts of a run to standard output or to a file; one alone appears as it is made."""
    from ancestral.data.writing import ARRAYS, TABLES, write_table
    from ancestral.recipes.files import write_text
    from ancestral.recipes.generating import Writer

    if to.out is not None and to.out.suffix.lower() in ARRAYS:
        raise ConfigError(f"texts are written as they are or to tables, got {str(to.out)!r}")
    what = text.read(n, common.seed_or_default)
    writer = Writer.open(run, device=common.device_or_default, int8=text.int8)
    if n == 1 and to.out is None and not common.json and not what.beams and not what.stop:
        _stream(writer, what)
        return 0
    found = writer.write(what)
    answer: dict[str, object] = {"run": str(run.folder), "n": n}

    def write(path: Path) -> Path:
        if path.suffix.lower() in TABLES:
            rows = [one.to_json() for one in found]
            return write_table({name: [row[name] for row in rows] for name in rows[0]}, path)
        write_text(path, "".join(f"{one.text}\n" for one in found))
        return path

    deliver(
        answer,
        write=write,
        fields=lambda: {"samples": [one.to_json() for one in found]},
        show=lambda: console.write("\n\n".join(one.text for one in found)),
        out=to.out,
        json=common.json,
    )
    return 0


def _stream(writer: "Writer", what: "Writing") -> None:
    """Show one text while it is made."""
    import sys

    stream = writer.tokenizer.stream()
    shown = what.prompt
    begun = False
    try:
        for choices in writer.steps(what):
            shown += stream.feed([choice.token for choice in choices])
            sys.stdout.write(shown)
            sys.stdout.flush()
            begun, shown = begun or bool(shown), ""
    finally:
        if begun:  # A message about what broke it off begins a line of its own.
            sys.stdout.write(stream.finish() + "\n")
            sys.stdout.flush()
