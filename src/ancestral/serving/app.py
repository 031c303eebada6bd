"""The application: its routes, and the description of them from which clients are made."""

import asyncio
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ancestral import __version__
from ancestral.errors import AncestralError
from ancestral.serving import schemas, tokens
from ancestral.serving.answers import Answers
from ancestral.serving.gate import OPEN, Gate
from ancestral.serving.metrics import CONTENT_TYPE, Metrics
from ancestral.serving.refusals import (
    MEANINGS,
    Refusal,
    answer_failure,
    answer_http,
    answer_invalid,
    answer_refusal,
)
from ancestral.serving.served import Served

_EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
_EVENTS = {"text/event-stream": {"schema": _EVENT}}


class Application:
    """All that answers: the gate, and behind it the routes.

    Args:
        served: What is served.
        key: The API key; None if there is none.

    Attributes:
        gate: The ASGI application.
        answers: The completions that are under way.

    Example:
        >>> import httpx
        >>> import torch
        >>> from ancestral.classic.chains.language import NGramLanguageModel
        >>> from ancestral.data.text import Tokenizer
        >>> from ancestral.autoregressive.writing import Writer
        >>> from ancestral.recipes.generating import open_writer
        >>> from ancestral.serving.limits import Limits
        >>> from ancestral.serving.opening import serve_writer
        >>> words = Tokenizer.train(["sun and rain"], kind="word")
        >>> ids = [words.special.bos, *words.encode("sun and rain"), words.special.eos]
        >>> model = NGramLanguageModel(words.vocabulary, order=2).fit(torch.tensor([ids]))
        >>> served = serve_writer(Writer(model, words, open_writer), Limits(), name="weather")
        >>> async def ask(**asked: object) -> dict:
        ...     transport = httpx.ASGITransport(Application(served).gate)
        ...     async with httpx.AsyncClient(transport=transport) as client:
        ...         answer = await client.post("http://here/v1/completions", json=asked)
        ...         return answer.json()["choices"][0]
        >>> asyncio.run(ask(prompt="sun", temperature=0, max_tokens=3))["text"]
        ' and '
        >>> served.engine.close(timeout=10)
        True
    """

    def __init__(self, served: Served, *, key: str | None = None) -> None:
        metrics = Metrics(served.engine)
        self.answers = Answers(served, metrics)
        routes = FastAPI(title="ancestral", version=__version__, docs_url=None, redoc_url=None)
        for kind in (Refusal, AncestralError, ValueError):
            routes.add_exception_handler(kind, answer_refusal)
        routes.add_exception_handler(RequestValidationError, answer_invalid)
        routes.add_exception_handler(HTTPException, answer_http)
        routes.add_exception_handler(Exception, answer_failure)
        _completions(routes, self.answers)
        _models(routes, served)
        _tokenizer(routes, served)
        _state(routes, metrics)
        routes.openapi_schema = _description(routes, key=key is not None)
        paths = frozenset(routes.openapi_schema["paths"])
        self.gate = Gate(routes, limits=served.limits, metrics=metrics, key=key, paths=paths)


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of errors; those of the gate can always come."""
    every = sorted({*statuses, 401, 413, 408, 503})
    return {code: {"model": schemas.ErrorBody, "description": MEANINGS[code]} for code in every}


def _completions(routes: FastAPI, answers: Answers) -> None:
    errors = _errors(400, 404, 429, 500, 504)
    found = {"model": schemas.CompletionResponse, "content": _EVENTS, "description": "The texts."}

    @routes.post("/v1/completions", responses={200: found, **errors})
    async def completions(asked: schemas.CompletionRequest, request: Request) -> Response:
        """Continue a prompt, or several."""
        return await answers.answer(asked, request)


def _models(routes: FastAPI, served: Served) -> None:
    card = {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "ancestral",
        "max_model_len": served.window,
    }

    @routes.get("/v1/models", response_model=schemas.ModelList, responses=_errors())
    async def models() -> JSONResponse:
        """Tell which model is served."""
        return JSONResponse({"object": "list", "data": [card]})

    @routes.get("/v1/models/{name:path}", response_model=schemas.ModelCard, responses=_errors(404))
    async def model(name: str) -> JSONResponse:
        """Tell of one model."""
        served.check_model(name)
        return JSONResponse(card)


def _tokenizer(routes: FastAPI, served: Served) -> None:
    errors = _errors(400, 404)

    @routes.post("/tokenize", response_model=schemas.TokenizeResponse, responses=errors)
    async def tokenize(asked: schemas.TokenizeRequest) -> JSONResponse:
        """Cut a text into tokens."""
        return JSONResponse(await asyncio.to_thread(tokens.tokenize, served, asked))

    @routes.post("/detokenize", response_model=schemas.DetokenizeResponse, responses=errors)
    async def detokenize(asked: schemas.DetokenizeRequest) -> JSONResponse:
        """Make a text of tokens."""
        return JSONResponse(tokens.detokenize(served, asked))

    @routes.get("/tokenizer_info", response_model=schemas.TokenizerInfo, responses=_errors())
    async def tokenizer_info() -> JSONResponse:
        """Tell how text is cut into tokens."""
        return JSONResponse(tokens.info(served))


def _state(routes: FastAPI, metrics: Metrics) -> None:
    @routes.get("/health", response_model=schemas.Health, responses=_errors())
    async def health() -> JSONResponse:
        """Tell that the server takes requests; while it closes this is an error 503."""
        return JSONResponse({"status": "ok"})

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Metrics."}

    @routes.get("/metrics", response_class=Response, responses={200: text, **_errors()})
    async def numbers() -> Response:
        """Tell what was counted and timed, for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _description(routes: FastAPI, *, key: bool) -> dict[str, Any]:
    """Return the OpenAPI description, with the errors as they are and not as the library's."""
    found = routes.openapi()
    for path, operations in found["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if key and path not in OPEN:
                operation["security"] = [{"key": []}]
    kept: dict[str, Any] = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        kept.pop(name, None)
    if key:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return found
