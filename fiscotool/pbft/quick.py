"""Making values, faster: a replica copies itself in every step, so this decides how fast everything is.

Rule 1. A quickened class behaves as before, to the byte: same fields, same equality, same `_replace` with the same arguments.
Rule 2. Only what is measured is quickened (bench/core_steps.py, bench/simulator.py).
Rule 3. What a `maker` makes is in nothing different from what the class makes: it is frozen, too.

Theory. The `_replace` that `NamedTuple` brings pops every field's name out of the changes; a state has 30 fields and a change one or two.
A list made of the tuple, with the changes put in their places, does the same work for the changed fields only. The `__init__` of a
frozen dataclass goes round its own lock for every field; a maker fills an unlocked twin of the same layout and then locks it, which
takes a quarter of the time.

Sources: none of the protocol; CPython's `collections.namedtuple` for what `_replace` promises, `dataclasses` for `__init__`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, field, fields, make_dataclass
from importlib import import_module
from typing import Any, Final, ParamSpec, TypeVar, cast

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")
Tuple = TypeVar("Tuple", bound=tuple[Any, ...])


def _compiled() -> Any:
    """The same in C, where it was built (`make fast`); None elsewhere."""
    try:
        return import_module("fiscotool.pbft.copying")
    except ImportError:
        return None


COMPILED: Final = _compiled()
"""What makes the copies instead, or None."""


def quickened(cls: type[Tuple]) -> type[Tuple]:
    """Class decorator for a `NamedTuple`: replaces its `_replace`. A field that does not exist raises ValueError, as before."""
    names: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    places = {name: place for place, name in enumerate(names)}
    assert len(places) == len(names)
    make = tuple.__new__

    def _replace(self: Tuple, /, **changes: Any) -> Tuple:
        values = list(self)
        try:
            for name, value in changes.items():
                values[places[name]] = value
        except KeyError as missing:
            raise ValueError(f"Got unexpected field names: {[missing.args[0]]!r}") from None
        return make(cls, values)

    def _replace_compiled(self: Tuple, /, **changes: Any) -> Tuple:
        try:
            return cast("Tuple", COMPILED.replace(self, places, changes))
        except KeyError as missing:
            raise ValueError(f"Got unexpected field names: {[missing.args[0]]!r}") from None

    quick: Callable[..., Tuple] = _replace if COMPILED is None else _replace_compiled
    cls._replace = quick  # type: ignore[attr-defined]
    return cls


def one_field(cls: type[Tuple], name: str) -> Callable[[Tuple, Any], Tuple]:
    """`lambda value, new: value._replace(name=new)` without looking up the name: for the few fields that change with every vote."""
    place = cls._fields.index(name)  # type: ignore[attr-defined]
    if COMPILED is not None:
        return cast("Callable[[Tuple, Any], Tuple]", COMPILED.changer(place))
    make = tuple.__new__

    def change(self: Tuple, new: Any) -> Tuple:
        values = [*self]
        values[place] = new
        return make(cls, values)

    return change


def two_fields(cls: type[Tuple], first: str, second: str) -> Callable[[Tuple, Any, Any], Tuple]:
    """`one_field` for two that change together."""
    names: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    one, other = names.index(first), names.index(second)
    if COMPILED is not None:
        return cast("Callable[[Tuple, Any, Any], Tuple]", COMPILED.changer(one, other))
    make = tuple.__new__

    def change(self: Tuple, first_value: Any, second_value: Any) -> Tuple:
        values = [*self]
        values[one] = first_value
        values[other] = second_value
        return make(cls, values)

    return change


def maker(cls: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
    """`cls`, a frozen dataclass with slots and without base or `__post_init__`, called faster; the same arguments, the same values."""
    known = fields(cast("Any", cls))
    assert all(each.init and each.default_factory is MISSING for each in known)
    if COMPILED is not None:
        defaults = tuple([cls if each.default is MISSING else each.default for each in known])
        return cast("Callable[Arguments, Value]", COMPILED.maker(cls, tuple([each.name for each in known]), defaults))
    entries = [(each.name, Any, field(default=each.default)) for each in known]

    def lock(self: Any) -> None:
        self.__class__ = cls

    twin = make_dataclass(f"Open{cls.__name__}", entries, slots=True, namespace={"__post_init__": lock})
    return cast("Callable[Arguments, Value]", twin)
