"""What is asked and answered: OpenAI's legacy completions, with a few fields of ours."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON means it: 2.0 is one."""

TokenId: TypeAlias = Annotated[Whole, Field(ge=0, lt=2**31)]
StopString: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000)]
SomeStops: TypeAlias = Annotated[list[StopString], Field(max_length=4)]
Texts: TypeAlias = Annotated[list[str], Field(min_length=1)]
Ids: TypeAlias = Annotated[list[TokenId], Field(min_length=1)]
ManyIds: TypeAlias = Annotated[list[Ids], Field(min_length=1)]
Prompt: TypeAlias = str | Texts | Ids | ManyIds
Penalty: TypeAlias = Annotated[float, Field(ge=-2, le=2)]


class Asked(BaseModel):
    """A body: of these fields, and in these types."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class StreamOptions(Asked):
    """What a stream tells besides its text."""

    include_usage: bool = Field(False, description="Tell the usage in a last chunk.")


class CompletionRequest(Asked):
    """A prompt, or several, to be continued."""

    model: str | None = Field(None, description="Its name; the one that is served if not given.")
    prompt: Prompt = Field("", description="Text, or token ids, or a list of either.")
    max_tokens: Whole | None = Field(16, ge=0, description="Most tokens of each text; 0 with echo.")
    temperature: float | None = Field(1, ge=0, le=2, description="0 takes the most probable.")
    top_p: float | None = Field(1, gt=0, le=1, description="Keep this mass of probability.")
    n: Whole | None = Field(1, ge=1, le=128, description="Texts for each prompt.")
    stream: bool | None = Field(False, description="Send the text while it is made.")
    stream_options: StreamOptions | None = None
    logprobs: Whole | None = Field(None, ge=0, le=5, description="So many alternatives are told.")
    echo: bool | None = Field(False, description="Begin with the prompt.")
    stop: StopString | SomeStops | None = Field(None, description="Texts end before these.")
    seed: Whole | None = Field(None, ge=-(2**63), lt=2**63, description="Choice i has seed + i.")
    presence_penalty: Penalty | None = 0
    frequency_penalty: Penalty | None = 0
    best_of: Whole | None = Field(None, ge=1, le=128, description="n, or not given.")
    suffix: str | None = Field(None, description="Not supported.")
    logit_bias: dict[str, float] | None = Field(None, description="Not supported.")
    user: str | None = Field(None, description="Not used.")
    top_k: Whole | None = Field(None, ge=0, lt=2**31, description="Keep so many tokens; 0: all.")
    min_p: float | None = Field(0, ge=0, le=1, description="Least share of the best one's.")
    typical_p: float | None = Field(1, gt=0, le=1, description="Mass nearest to the entropy.")
    repetition_penalty: float | None = Field(1, ge=1, le=10)
    regex: str | None = Field(None, max_length=10_000, description="What is written matches it.")
    json_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="What is written is JSON that fits it."
    )


class LogProbs(BaseModel):
    """Log-probabilities of tokens under the model, before any rule, in nats."""

    tokens: list[str] = Field(description="bytes:\\x.. where a token is a part of a character.")
    token_logprobs: list[float | None] = Field(description="null for the first of the prompt.")
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int] = Field(description="Where each token begins in the text.")


class CompletionChoice(BaseModel):
    """A text."""

    index: int
    text: str
    logprobs: LogProbs | None
    finish_reason: Literal["stop", "length"] | None


class Usage(BaseModel):
    """Tokens read and written; BOS does not count, the end does."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionResponse(BaseModel):
    """The texts, by prompt and then by choice."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage


class ModelCard(BaseModel):
    """A model that is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int | None = Field(description="Its window; null where there is none.")


class ModelList(BaseModel):
    """The models that are served."""

    object: Literal["list"]
    data: list[ModelCard]


class TokenizeRequest(Asked):
    """A text to be cut into tokens."""

    model: str | None = None
    prompt: str = Field(description="A special token's name alone, as <EOS>, is that token.")
    add_special_tokens: bool = Field(True, description="Put BOS in front, as completions do.")


class TokenizeResponse(BaseModel):
    """The tokens of a text."""

    tokens: list[int]
    count: int
    max_model_len: int | None


class DetokenizeRequest(Asked):
    """Tokens to be made a text."""

    model: str | None = None
    tokens: list[TokenId]


class DetokenizeResponse(BaseModel):
    """The text of tokens; special ones have none."""

    prompt: str


class TokenizerInfo(BaseModel):
    """How text is cut into tokens."""

    tokenizer_class: Literal["bpe", "word", "character"]
    vocab_size: int
    model_max_length: int | None
    bos_token: str
    eos_token: str
    unk_token: str
    pad_token: str


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok"]


class ErrorDetail(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """An error, in OpenAI's shape."""

    error: ErrorDetail
