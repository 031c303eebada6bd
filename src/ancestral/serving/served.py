"""What is served: a run's model and tokenizer, an engine for all who ask, and their limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from ancestral.autoregressive.decoding import Constraint, Decoding, StopStrings
from ancestral.autoregressive.writing import Writer
from ancestral.data.text import Tokenizer
from ancestral.serving.engine import Engine
from ancestral.serving.jobs import Job
from ancestral.serving.limits import Limits
from ancestral.serving.refusals import Refusal
from ancestral.serving.schemas import CompletionRequest
from ancestral.serving.text import Names

_COLDEST = 1e-6
"""A temperature below it is 0: logits that differ at all differ by more, once divided by it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, read.

    Args:
        ids: BOS first.
        hidden: Whether BOS was put there by us, and is not told of.
        text: What is echoed; empty where nothing is.
        offsets: Where each of the ids that are told of begins in the text.

    Example:
        >>> Prompt([96, 5, 7], hidden=True).told
        [5, 7]
    """

    ids: list[int]
    hidden: bool
    text: str = ""
    offsets: tuple[int, ...] = ()

    @property
    def told(self) -> list[int]:
        """The ids that were asked with."""
        return self.ids[1:] if self.hidden else self.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A run that is served: its name for clients, and the engine that writes for all who ask.

    The seeds of requests that bring none come from ``chance``; ``created`` is in seconds since
    1970.
    """

    name: str
    writer: Writer
    engine: Engine
    limits: Limits
    names: Names
    chance: Random
    created: int

    @property
    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer."""
        return self.writer.tokenizer

    @property
    def window(self) -> int | None:
        """Tokens that the model sees at once, BOS included."""
        return self.writer.model.window

    def check_model(self, name: str | None) -> None:
        """Refuse the name of another model, with status 404."""
        if name is not None and name != self.name:
            shown = name.encode("ascii", "backslashreplace").decode()[:80]
            raise Refusal(
                404,
                f"there is no model {shown}; the one that is served is {self.name}",
                param="model",
                code="model_not_found",
            )

    def jobs(self, asked: CompletionRequest) -> list[tuple[Prompt, Job]]:
        """Return what the engine has to do: the choices of the first prompt, of the second ...

        Raises Refusal if a limit is passed, something is not supported, or the model is another;
        ConfigError if a prompt or a setting does not fit the run; ValueError if a text is not
        Unicode.
        """
        self.check_model(asked.model)
        _supported(asked)
        prompts = [self.prompt(one, echo=bool(asked.echo)) for one in _each(asked.prompt)]
        n = asked.n or 1
        if n * len(prompts) > self.limits.texts:
            raise Refusal(
                400,
                f"prompts times n must be at most {self.limits.texts}, got {n * len(prompts)}",
                param="n",
            )
        tokens = self._max_tokens(asked)
        decoding, constraint = self._decoding(asked), self._constraint(asked)
        stops = stop_strings(asked)
        stop = StopStrings(stops, self.tokenizer.decode) if stops else None
        found = []
        for prompt in prompts:
            # Strangers' prompts in one request draw as they would draw alone.
            seed = self.chance.getrandbits(62) if asked.seed is None else asked.seed
            for number in range(n):
                job = Job(
                    prompt=prompt.ids,
                    decoding=decoding,
                    max_tokens=tokens,
                    seed=(seed + number) % 2**63,
                    stop=stop,
                    constraint=constraint,
                    score_prompt=tokens == 0 or (bool(asked.echo) and asked.logprobs is not None),
                )
                found.append((prompt, job))
        return found

    def prompt(self, what: str | Sequence[int], *, echo: bool = False) -> Prompt:
        """Read a prompt: text, or ids as they are; BOS stands in front of both.

        Its text is kept for an ``echo``. Raises ConfigError if every word of it is unknown; Refusal
        if it is too long, or an id is unknown; ValueError if the text is not Unicode.
        """
        bos = self.tokenizer.special.bos
        if isinstance(what, str):
            ids, hidden = self.writer.read(what), True
        else:
            self._check_ids(what)
            hidden = not what or what[0] != bos
            ids = [bos, *what] if hidden else list(what)
        longest = self.limits.prompt(self.window)
        if len(ids) - 1 > longest:
            why = "" if self.window is None else f" (the window of the model is {self.window})"
            raise Refusal(
                400,
                f"the prompt must be at most {longest} tokens{why}, got {len(ids) - 1}",
                param="prompt",
                code="context_length_exceeded",
            )
        text, offsets = self._echo(what) if echo else ("", ())
        return Prompt(ids, hidden, text, offsets)

    def _check_ids(self, ids: Sequence[int]) -> None:
        if ids and max(ids) >= self.tokenizer.vocabulary:
            raise Refusal(
                400,
                f"token ids must be 0 to {self.tokenizer.vocabulary - 1}, got {max(ids)}",
                param="prompt",
            )

    def _echo(self, what: str | Sequence[int]) -> tuple[str, tuple[int, ...]]:
        """Return the text of a prompt, and where its tokens begin in it."""
        if isinstance(what, str):
            return what, tuple(at for at, _ in self.tokenizer.offsets(what))
        stream = self.tokenizer.stream()
        parts = [stream.feed((token,)) for token in what]
        starts = (0, *accumulate(map(len, parts)))
        return "".join([*parts, stream.finish()]), starts[: len(parts)]

    def _max_tokens(self, asked: CompletionRequest) -> int:
        tokens = 16 if asked.max_tokens is None else asked.max_tokens
        if tokens > self.limits.max_tokens:
            raise Refusal(
                400,
                f"max_tokens must be at most {self.limits.max_tokens}, got {tokens}",
                param="max_tokens",
            )
        return tokens

    def _decoding(self, asked: CompletionRequest) -> Decoding:
        temperature = 1.0 if asked.temperature is None else asked.temperature
        repetition = asked.repetition_penalty or 1.0
        penalties = asked.frequency_penalty or asked.presence_penalty or repetition != 1
        return Decoding.plain().but(
            temperature=temperature if temperature >= _COLDEST else 0.0,
            top_k=asked.top_k or None,
            top_p=1.0 if asked.top_p is None else asked.top_p,
            min_p=asked.min_p or 0.0,
            typical=1.0 if asked.typical_p is None else asked.typical_p,
            repetition_penalty=repetition,
            repetition_counts=False,
            frequency_penalty=asked.frequency_penalty or 0.0,
            presence_penalty=asked.presence_penalty or 0.0,
            alternatives=asked.logprobs or 0,
            exempt=tuple(self.writer.blanks()) if penalties else (),
        )

    def _constraint(self, asked: CompletionRequest) -> Constraint | None:
        if asked.regex is not None and asked.json_schema is not None:
            raise Refusal(400, "regex and schema exclude each other: give one", param="regex")
        found = self.writer.constraint(regex=asked.regex, schema=asked.json_schema)
        if found is not None:
            found.fresh().allowed()  # One too large shows here, where nobody else waits for it.
        return found


def stop_strings(asked: CompletionRequest) -> list[str]:
    """Return the strings before which a text ends."""
    return [asked.stop] if isinstance(asked.stop, str) else list(asked.stop or ())


def _supported(asked: CompletionRequest) -> None:
    if asked.suffix is not None:
        raise Refusal(400, "suffix is not supported: the model writes onwards", param="suffix")
    if asked.logit_bias:
        raise Refusal(400, "logit_bias is not supported", param="logit_bias")
    if asked.best_of is not None and asked.best_of != (asked.n or 1):
        raise Refusal(
            400,
            f"best_of must be n = {asked.n or 1}, or not given, got {asked.best_of}",
            param="best_of",
        )


def _each(prompt: object) -> Iterator[str | list[int]]:
    """Yield the prompts of a request one by one."""
    if isinstance(prompt, list) and not isinstance(prompt[0], int):
        yield from prompt
    elif isinstance(prompt, str | list):
        yield prompt
