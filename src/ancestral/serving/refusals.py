"""Why a request is refused, in the shape of OpenAI's errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from ancestral.errors import ConfigError, DataError
from ancestral.serving.jobs import BusyError, ClosedError

MEANINGS = {
    400: "The request is wrong, and the message says how.",
    401: "The key is missing or wrong.",
    404: "There is no such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    429: "All slots and places of the queue are taken; Retry-After says when to come back.",
    500: "The server failed.",
    503: "The server is closing.",
    504: "The request took too long.",
}
"""Every status of an error that a route may answer."""

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
_CODES = {
    401: "invalid_api_key",
    404: "not_found",
    408: "body_timeout",
    413: "body_too_large",
    429: "busy",
    503: "closing",
    504: "timeout",
}
_SENTENCES = {
    "prompt": "must be a string, a list of strings, a list of token ids, or a list of such lists",
    "stop": "must be a string that is not empty, or a list of at most 4 of them",
}


class Refusal(Exception):
    """An answer that is an error.

    Args:
        status: Of HTTP.
        message: One sentence.
        param: The field that is wrong.
        code: For programs; the status has one of its own.

    Example:
        >>> Refusal(400, "n must be at most 128, got 200", param="n").body["error"]["param"]
        'n'
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param = status, message, param
        self.code = code or _CODES.get(status)

    @property
    def body(self) -> dict[str, dict[str, str | None]]:
        """What is sent."""
        default = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {
                "message": self.message,
                "type": _TYPES.get(self.status, default),
                "param": self.param,
                "code": self.code,
            }
        }

    @property
    def headers(self) -> dict[str, str]:
        """What the status wants beside it."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        if self.status in (429, 503):
            return {"Retry-After": "1"}
        return {"Connection": "close"} if self.status in (408, 413) else {}

    def response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse(self.body, self.status, self.headers)


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of an error of ours.

    Example:
        >>> refusal_of(BusyError("the queue is full")).status
        429
        >>> refusal_of(ConfigError("top_p must be above 0")).status
        400
    """
    if isinstance(error, Refusal):
        return error
    message = " ".join(str(error).split()) or type(error).__name__
    for kind, status in ((BusyError, 429), (ClosedError, 503), (ConfigError, 400)):
        if isinstance(error, kind):
            return Refusal(status, message)
    if isinstance(error, DataError | ValueError):
        return Refusal(400, message)
    return Refusal(500, message)


async def answer_refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer a refusal that a route has raised."""
    del request
    return refusal_of(error).response()


async def answer_invalid(request: Request, error: Any) -> JSONResponse:  # noqa: ANN401 (theirs)
    """Answer a body that does not fit its schema, by the first thing that is wrong with it."""
    del request
    return _invalid(error.errors()[0]).response()


async def answer_http(request: Request, error: Any) -> JSONResponse:  # noqa: ANN401 (theirs)
    """Answer what the router itself refuses: no such path, no such method, no JSON."""
    message = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, "the body must be JSON, sent as application/json")
    response = Refusal(error.status_code, message).response()
    response.headers.update(dict(error.headers or {}))
    return response


async def answer_failure(request: Request, error: Exception) -> JSONResponse:
    """Answer what nobody has foreseen; the server's log has the traceback."""
    del request, error
    return Refusal(500, "the server failed; its log says why").response()


def _invalid(found: Mapping[str, Any]) -> Refusal:
    where: Sequence[Any] = found.get("loc", ())
    kind, message = str(found.get("type", "")), str(found.get("msg", "the request is wrong"))
    if kind == "json_invalid" or len(where) < 2:
        return Refusal(400, "the body must be a JSON object, sent as application/json")
    param = str(where[1]).encode("ascii", "backslashreplace").decode()[:80]
    if kind == "extra_forbidden":
        return Refusal(400, f"there is no parameter {param}", param=param)
    if kind == "missing":
        return Refusal(400, f"{param} must be given", param=param)
    sentence = _SENTENCES.get(param) or message.replace("Input should be", "must be").lower()
    got = found.get("input")
    shown = f", got {got!r}" if isinstance(got, int | float) else ""
    return Refusal(400, f"{param} {sentence}{shown}", param=param)
