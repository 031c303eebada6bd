"""``isinstance`` with a protocol by how its methods are called, not by their names alone."""

import inspect
from types import UnionType
from typing import Protocol, get_origin, get_type_hints


class Checked(type(Protocol)):  # pyright: ignore[reportGeneralTypeIssues]
    """Makes ``isinstance`` compare how methods are called and what they say they return."""

    def __instancecheck__(cls, instance: object) -> bool:
        if not super().__instancecheck__(instance):
            return False
        wanted = [name for name in vars(cls) if not name.startswith("_")]
        return all(_agrees(getattr(cls, name), getattr(instance, name)) for name in wanted)


def _agrees(wanted: object, own: object) -> bool:
    if isinstance(wanted, property):
        return isinstance(own, _returned(wanted.fget))
    if not callable(wanted) or not callable(own):
        return False
    _, *parameters = inspect.signature(wanted).parameters.values()
    places = [each for each in parameters if each.kind is not each.KEYWORD_ONLY]
    names = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    try:
        inspect.signature(own).bind(*places, **names)
    except TypeError:
        return False
    says = _returned(own)
    return says is object or issubclass(says, _returned(wanted))


def _returned(method: object) -> type:
    """Return the class that a method says it returns; object where it says nothing definite."""
    try:
        hint: object = get_type_hints(method, localns={"DAG": object}).get("return")
    except (NameError, TypeError):  # A name that only type checkers import.
        return object
    hint = get_origin(hint) or hint
    if not isinstance(hint, type) or hint is UnionType or getattr(hint, "_is_protocol", False):
        return object
    return hint
