"""Every error that is raised on purpose and that a user can mend.

The command line turns an :class:`AncestralError` into one line and exit status 2. A wrong argument
to a Python function is a plain ``ValueError`` or ``TypeError``, as everywhere in Python.
"""

import re

_IN_PYTHON = (
    (r"(?<!\S)--set '([^'=]+)=([^']+)'", r'settings={"\1": "\2"}'),
    (r"(?<!\S)--set ([\w.-]+)=([^\s;,:]+)", r'settings={"\1": "\2"}'),
    (r"(?<!\S)(ancestral )?(fit )?--resume (\S+)", r'resume("\3")'),
    (r"(?<!\S)--overwrite\b(?! replaces)", "overwrite=True"),
    (r"(?<!\S)--set\b", "settings"),
)
"""Options of the command line, and how the same is said in Python."""


class AncestralError(Exception):
    """What went wrong and how to mend it, in one line.

    Messages are written in the words of the command line. ``str`` says the same in the words of
    Python, for whoever calls the library.

    Example:
        >>> print(AncestralError("runs/a exists; choose another --out, or give --overwrite"))
        runs/a exists; choose another out, or give overwrite=True
    """

    def __str__(self) -> str:
        text = self.line
        for option, python in _IN_PYTHON:
            text = re.sub(option, python, text)
        return re.sub(r"(?<!\S)--([a-z][\w-]*)", lambda found: found[1].replace("-", "_"), text)

    @property
    def line(self) -> str:
        """The message in the words of the command line."""
        return super().__str__()


class DataError(AncestralError):
    """The user's data cannot be read, or cannot be used as asked."""


class ConfigError(AncestralError, ValueError):
    """A setting has an unknown name, a wrong type or a value outside its range."""


class RunError(AncestralError):
    """A run folder is missing, is not a run, exists already, or cannot be written."""


class DamagedFileError(RunError):
    """A file's contents do not match their own checksum."""


class DivergenceError(AncestralError):
    """Training produced a number that is not finite."""


class CapabilityError(AncestralError):
    """The model cannot do what was asked of it."""


class InferenceError(AncestralError):
    """A query has no answer: impossible evidence, unknown names, or no exact method."""
