"""`_replace` of states, faster: a replica copies itself in every step, so this decides how fast everything is.

Rule 1. A quickened class behaves as before, to the byte: same fields, same equality, same `_replace` with the same arguments.
Rule 2. Only what is measured is quickened (bench/core_steps.py, bench/simulator.py).

Theory. The `_replace` that `NamedTuple` brings pops every field's name out of the changes; a state has 30 fields and a change one or two.
A list made of the tuple, with the changes put in their places, does the same work for the changed fields only.

Sources: none of the protocol; CPython's `collections.namedtuple` for what `_replace` promises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Tuple = TypeVar("Tuple", bound=tuple[Any, ...])


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

    quick: Callable[..., Tuple] = _replace
    cls._replace = quick  # type: ignore[attr-defined]
    return cls


def one_field(cls: type[Tuple], name: str) -> Callable[[Tuple, Any], Tuple]:
    """`lambda value, new: value._replace(name=new)` without looking up the name: for the few fields that change with every vote."""
    place = cls._fields.index(name)  # type: ignore[attr-defined]
    make = tuple.__new__

    def change(self: Tuple, new: Any) -> Tuple:
        values = list(self)
        values[place] = new
        return make(cls, values)

    return change
