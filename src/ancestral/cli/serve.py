"""``ancestral serve``: a run on text, for many clients at once."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from ancestral.cli import console
from ancestral.cli.options import Common, Flag
from ancestral.errors import ConfigError

LIMITS = Group("Limits", sort_key=50)

Key = Annotated[str | None, Parameter(env_var="ANCESTRAL_API_KEY", allow_leading_hyphen=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Where clients come in, and with what.

    Parameters
    ----------
    host
        Where to listen: 0.0.0.0 lets other machines in.
    port
        0 takes a free one.
    api_key
        What clients must bring; nothing if not given.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: Key = None

    def check(self) -> None:
        """Refuse a key that no header can hold.

        Raises:
            ConfigError: If it is empty, or has other characters than visible ones of ASCII.
        """
        key = self.api_key
        if key is not None and not (key.isascii() and key.isprintable() and key.split() == [key]):
            raise ConfigError("--api-key must be of visible ASCII characters, at least one")


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What the server allows.

    Parameters
    ----------
    slots
        Texts that are written side by side.
    queue
        Texts that wait for a slot; who comes then is told to come back.
    max_tokens
        Most tokens of a text that may be asked for.
    max_prompt
        Most tokens of a prompt; what the model can read if not given.
    max_body
        Most bytes of a request.
    timeout
        Seconds after which a request is ended.
    """

    slots: int = 16
    queue: int = 64
    max_tokens: int = 4096
    max_prompt: int | None = None
    max_body: int = 2**20
    timeout: float = 600.0


def serve(
    run: Path,
    /,
    *,
    at: Entrance = Entrance(),
    name: str | None = None,
    int8: Flag = False,
    limits: LimitOptions = LimitOptions(),
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Serve a run over HTTP, as OpenAI's completions; SIGTERM and Ctrl-C finish what has begun.

    Parameters
    ----------
    run
        A run folder, of a language model.
    name
        By which clients ask for the model; the name of the folder if not given.
    int8
        Compute with weights of 8 bits: faster, not quite the same model.
    """
    _check_installed()
    from ancestral.serving import door
    from ancestral.serving.app import Application
    from ancestral.serving.limits import Limits
    from ancestral.serving.opening import open_run

    common.apply()
    at.check()
    with door.bind(at.host, at.port) as listener:
        served = open_run(
            run,
            Limits(**vars(limits)),
            name=name,
            device=common.device_or_default,
            int8=int8,
            seed=common.seed_or_default,
        )
        if at.api_key is None and not door.is_loopback(listener):
            console.say(f"warning: {at.host} lets other machines in, and there is no --api-key")
        application = Application(served, key=at.api_key)

        def ready() -> None:
            url = door.address(listener)
            if common.json:
                console.emit({"run": str(run), "model": served.name, "url": url})
            else:
                console.write(f"{served.name} is served at {url}/v1 (Ctrl-C ends it)")
            console.flush()

        server = door.Door(application, served, ready=ready)
        server.serve_on(listener)
    return 128 + signal.SIGINT if server.signal == signal.SIGINT else 0


def _check_installed() -> None:
    try:
        import fastapi
        import prometheus_client
        import uvicorn
    except ImportError as error:
        raise ConfigError(f"serving needs {error.name}: pip install 'ancestral[serve]'") from None
    del fastapi, prometheus_client, uvicorn
