"""The options of ``sample`` that are for language models."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import Group, Parameter

from ancestral.cli.options import Flag, Text, Words

TEXT = Group("Of language models", sort_key=50)


@Parameter(name="*", group=TEXT)
@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """Options of ``sample`` for runs on text.

    Parameters
    ----------
    prompt
        What the text begins with.
    infill
        A text with blanks ___ or ___[20], the number being its tokens, to be filled by
        masked-diffusion or bert; what is given stays as it is.
    blank
        Tokens of a blank without a number; 8 if not given.
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
    infill: Text = None
    blank: int | None = None
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

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by name."""
        return {
            name: value
            for name, value in vars(self).items()
            if value is not None and value is not False
        }
