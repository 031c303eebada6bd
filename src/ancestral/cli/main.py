"""The door: every way in which ``ancestral`` can end, and its exit status.

0: done. 1: all models of a comparison failed. 2: a mistake that the user can mend, one line on
standard error. 130: Ctrl-C. 143: asked to end by SIGTERM. 141: whoever read the output went away.

Nothing heavy is imported before the signal handlers stand, so that Ctrl-C is quiet from the start.
"""

import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit status.

    Args:
        arguments: Without the program's name; those of the process if None.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the system's shape
        received.append(number)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    if "WORLD_SIZE" in os.environ:  # Each process would warn of the same; errors are told.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if isinstance(sys.stdout, io.TextIOWrapper):  # What a terminal cannot show ends nothing.
        sys.stdout.reconfigure(errors="replace")
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        from ancestral.cli.app import run

        status = run(sys.argv[1:] if arguments is None else arguments)
    except BaseException as error:
        # A signal inside an import or a callback can surface as another error: it is still one.
        status = 128 + received[0] if received else _status(error)
    leave(status)


def _status(error: BaseException) -> int:
    """Return the exit status of an error that no command has turned into a line."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    raise error


def leave(status: int) -> None:
    """Exit; what is left in the buffers of a closed pipe or a full disk is dropped quietly.

    One of several processes ends at once: threads that torch has for them may outlive the training,
    and tearing them down aborts a finished process now and then, which torchrun calls a failure.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
