"""Every error that is raised on purpose and that a user can mend.

The command line turns an :class:`AncestralError` into one line and exit status 2. A wrong argument
to a Python function is a plain ``ValueError`` or ``TypeError``, as everywhere in Python.
"""


class AncestralError(Exception):
    """What went wrong and how to mend it, in one line."""


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
