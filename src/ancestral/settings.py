"""Settings by name: text or plain values into the typed fields of frozen dataclasses.

``--set latent=8`` and ``fit(settings={"latent": 8})`` take the same road: the field's own type
annotation says what is allowed, the dataclass's ``__post_init__`` which values are in range.
"""

import difflib
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from ancestral.errors import ConfigError

T = TypeVar("T")
Size: TypeAlias = Literal["tiny", "small", "medium"]
"""The one dial of every network."""

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_RULES: dict[Any, str] = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "text",
}


def nearest(name: str, names: Iterable[str], *, otherwise: int = 0) -> str:
    """Return a clause that offers the names most like ``name``, or '' where none is.

    Args:
        name: What the user wrote.
        names: What there is.
        otherwise: How many names to list when none is like it.

    Example:
        >>> nearest("laten", ["latent", "hidden"])
        '; did you mean latent?'
    """
    known = list(dict.fromkeys(names))
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    listed = known if otherwise >= len(known) else []
    return f"; there are {', '.join(listed)}" if listed else ""


def parse_pairs(
    pairs: Iterable[str], *, option: str = "--set", names: Iterable[str] = ()
) -> dict[str, str]:
    """Split ``key=value`` texts; of settings a later one wins.

    Args:
        pairs: The texts.
        option: Whose they are.
        names: Keys that are known: the longest one before a ``=`` is taken, for there may be more.

    Raises:
        ConfigError: If a text has no ``=`` or no key, or what is not a setting is said twice.

    Example:
        >>> parse_pairs(["a=b=c", "d=e"], option="--given", names=["a=b", "a"])
        {'a=b': 'c', 'd': 'e'}
    """
    found, known = {}, list(names)
    for pair in pairs:
        name, value = split_pair(pair, known, option=option)
        if option == "--set":
            head, dot, tail = name.partition(".")  # After the point stands a name of the data.
            name = _setting(head.replace("-", "_"), value) + dot + tail
        if option != "--set" and found.get(name, value) != value:
            raise ConfigError(f"{option} {name} is given twice: {found[name]!r} and {value!r}")
        found[name] = value
    return found


def split_pair(pair: str, names: Iterable[str], *, option: str) -> tuple[str, str]:
    """Return the key and the value of one text; see :func:`parse_pairs`.

    Raises:
        ConfigError: If it has no ``=`` or no key.
    """
    known = max((name for name in names if pair.startswith(f"{name}=")), key=len, default=None)
    if known is not None:
        return known, pair[len(known) + 1 :].strip()
    key, sign, value = pair.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"{option} must be written key=value, got {pair!r}")
    return key.strip(), value.strip()


def _setting(name: str, value: str) -> str:
    """Tell the two meanings of ``size`` apart, so that both can be given."""
    return "pixels" if name == "size" and value.lstrip("-").isdecimal() else name


def hints(cls: type) -> dict[str, Any]:
    """Return what may be written for each field of a dataclass: None too, where it has a word."""
    types_by_name = get_type_hints(cls)
    return {
        item.name: types_by_name[item.name] | None
        if "none" in item.metadata and not may_be_none(types_by_name[item.name])
        else types_by_name[item.name]
        for item in fields(cls)
    }


def may_be_none(annotation: object) -> bool:
    """Return whether a type has None among its values."""
    return types.NoneType in get_args(annotation)


def _none_words(cls: type, name: str) -> tuple[str, ...]:
    """Return how None is written for this field: ``none``, and a word that says what it means."""
    for item in fields(cls):
        if item.name == name and "none" in item.metadata:
            return ("none", str(item.metadata["none"]))
    return ("none",)


def rule(annotation: object, words: tuple[str, ...] = ("none",)) -> str:
    """Say in words what a field of this type may hold.

    Example:
        >>> rule(tuple[int, ...])
        'whole numbers separated by commas'
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        parts = [words[-1] if part is types.NoneType else rule(part) for part in arguments]
        return " or ".join(parts)
    if origin is tuple:
        plural = rule(arguments[0]).removeprefix("a ") + "s"
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"{count}{plural} separated by commas"
    return _RULES.get(annotation, "text")


def convert(
    name: str, value: object, annotation: object, words: tuple[str, ...] = ("none",)
) -> Any:  # noqa: ANN401 - the annotation decides
    """Return ``value``, text or not, as the annotated type.

    Raises:
        ConfigError: If it cannot be; the message names the key, the rule and the value.

    Example:
        >>> convert("hidden", "128,64", tuple[int, ...])
        (128, 64)
    """
    try:
        return _convert(value, annotation, words)
    except (ValueError, TypeError, OverflowError):
        shown = value if isinstance(value, int | float) else repr(value)
        raise ConfigError(f"{name} must be {rule(annotation, words)}, got {shown}") from None


def _convert(value: object, annotation: object, words: tuple[str, ...]) -> object:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _choice(value, arguments)
    if origin in (Union, types.UnionType):
        return _first_that_fits(value, arguments, words)
    if origin is tuple:
        return _sequence(value, arguments)
    return _scalar(value, annotation)


def _choice(value: object, choices: tuple[object, ...]) -> object:
    for choice in choices:
        if value == choice or (isinstance(value, str) and value == str(choice)):
            return choice
    raise ValueError(value)


def _first_that_fits(value: object, parts: tuple[object, ...], words: tuple[str, ...]) -> object:
    if types.NoneType in parts and (
        value is None or (isinstance(value, str) and value.lower() in words)
    ):
        return None
    for part in parts:
        if part is not types.NoneType:
            try:
                return _convert(value, part, words)
            except (ValueError, TypeError):
                continue
    raise ValueError(value)


def _sequence(value: object, arguments: tuple[object, ...]) -> tuple[object, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("()[] ").split(",") if part.strip()]
    items = list(value) if isinstance(value, list | tuple) else [value]
    if arguments[-1] is not Ellipsis and len(items) != len(arguments):
        raise ValueError(value)
    return tuple(_scalar(item, arguments[0]) for item in items)


def _scalar(value: object, kind: object) -> object:
    if kind is str:
        return str(value)
    if kind is bool:
        return _boolean(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    if kind is int:
        return _whole(value, number)
    return number


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return _WORDS[str(value).lower()] if str(value).lower() in _WORDS else _refuse(value)


def _whole(value: object, number: float) -> int:
    whole = int(value) if isinstance(value, str | int) else int(number)
    return whole if whole == number else int(_refuse(value))


def _refuse(value: object) -> bool:
    raise ValueError(value)


def build(cls: type[T], values: Mapping[str, object], *, base: T | None = None) -> T:
    """Make a settings dataclass from text or plain values.

    Args:
        cls: A frozen, keyword-only dataclass.
        values: Its fields by name; what is absent is taken from ``base``, else from the defaults.
        base: Values to start from.

    Raises:
        ConfigError: On an unknown name, a wrong type or a value out of range.
    """
    annotations = hints(cls)
    for name in values:
        if name not in annotations:
            raise ConfigError(f"unknown setting {name!r}{nearest(name, annotations, otherwise=30)}")
    start = {} if base is None else {name: getattr(base, name) for name in annotations}
    given = {
        name: convert(name, value, annotations[name], _none_words(cls, name))
        for name, value in values.items()
    }
    return cls(**{**start, **given})


def plain(settings: object) -> dict[str, Any]:
    """Return a settings dataclass as TOML can hold it: no None, tuples as lists."""
    found = {}
    for name in hints(type(settings)):
        value = getattr(settings, name)
        words = _none_words(type(settings), name)
        found[name] = words[-1] if value is None else value
        if isinstance(value, tuple):
            found[name] = list(value)
    return found


def widths(given: tuple[int, ...] | None) -> bool:
    """Return whether these can be the widths of hidden layers; what is not chosen yet can."""
    return given is None or (len(given) > 0 and min(given) >= 1)


def require(settings: object, name: str, condition: bool, rule_: str) -> None:
    """Check one field in a ``__post_init__``.

    Raises:
        ConfigError: If the condition is false; it names the field, the rule and the value.
    """
    if not condition:
        raise ConfigError(f"{name} must be {rule_}, got {getattr(settings, name)}")


def at_least(settings: object, **least: float) -> None:
    """Check fields in a ``__post_init__``, each against its least value; None is not chosen yet.

    Raises:
        ConfigError: As :func:`require`.
    """
    for name, bound in least.items():
        value = getattr(settings, name)
        require(settings, name, value is None or value >= bound, f"at least {bound:g}")


def shares(settings: object, *names: str) -> None:
    """Check fields in a ``__post_init__`` that lie in [0, 1); None is not chosen yet.

    Raises:
        ConfigError: As :func:`require`.
    """
    for name in names:
        value = getattr(settings, name)
        require(settings, name, value is None or 0 <= value < 1, "in [0, 1)")


def chosen(word: str = "chosen") -> Any:  # noqa: ANN401 - as dataclasses.field itself
    """Return the default of a setting that the library chooses, written as ``word``."""
    return field(default=None, metadata={"none": word})


def arguments(settings: Any, *without: str) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """Return the settings by name, for a model whose arguments have the same names."""
    names = (item.name for item in fields(settings) if item.name not in without)
    return {name: getattr(settings, name) for name in names}


def unset(settings: Any) -> list[str]:  # noqa: ANN401 - a dataclass
    """Return the settings that nobody has chosen yet, though they must have a value."""
    optional = {name for name, kind in get_type_hints(type(settings)).items() if may_be_none(kind)}
    return [
        item.name
        for item in fields(settings)
        if getattr(settings, item.name) is None and item.name not in optional
    ]
