"""Events, effects, messages and durable records as plain JSON values and back, without loss.

    encoder = Encoder(Event)          encoder(Received(vote)) == ["Received", ["Prepare", 3, 7, "ab…", 2, "cd…"]]
    decoder = Decoder(Event)          decoder(…) == Received(vote)                                                    (`codec_back`)

Rule 1. Nothing is written by hand for a single class: what a value looks like follows from the type hints of its frozen dataclass. A class
        is the list of its fields in order, a member of a union has its class's name in front, an enumeration is a member's name, bytes are
        lower-case hex, a set is sorted. A new field or class needs no change here; it needs a new version of what is stored with it.
Rule 2. Decoding is total: what is not of the form is a `CodecError` that says where and what, never another exception.
Rule 3. Long bytes (block contents) come several times in a replica's life. An encoder writes them once, as `#3:hex`, and then as `#3`; the
        decoder has to see what the encoder wrote in the same order. With `is_shared=False` everything is always written in full.

Sources: none; PEP 557 (dataclasses), RFC 8259 (JSON).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

__all__ = ["Encoder", "bare", "fields_of", "is_union", "name_of"]

LONG_BYTES: Final = 72
"""Bytes longer than this (hashes have 32, signatures 65) are written once."""

SHARED_MAX: Final = 4096
"""An encoder that has written this many forgets all it wrote, and writes them in full again."""

_Coder = Callable[[Any], Any]


@cache
def fields_of(cls: type) -> list[tuple[str, Any]]:
    """(name, type) of the fields that the constructor takes, in its order."""
    found = get_type_hints(cls)
    return [(field.name, found[field.name]) for field in fields(cls) if field.init]


def name_of(cls: Any) -> str:
    """The class's name, which a union has in front."""
    return str(cls.__name__)


def bare(hint: Any) -> Any:
    """A NewType's own type."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return hint


def is_union(hint: Any) -> bool:
    """Whether it is `A | B`."""
    return get_origin(hint) in {Union, UnionType}


class Encoder:
    """Encodes values of one type; see the module's rules."""

    def __init__(self, hint: Any, *, is_shared: bool = True) -> None:
        self._known: dict[bytes, int] = {}
        self._written = 0
        self._bytes = self._shared_bytes if is_shared else bytes.hex
        self._made: dict[Any, _Coder | None] = {}
        self._encode = self._of(hint) or _same

    @property
    def classes(self) -> frozenset[type]:
        """The classes that it knows how to write."""
        return frozenset(hint for hint in self._made if isinstance(hint, type) and is_dataclass(hint))

    def __call__(self, value: Any) -> Any:
        """The value as lists, strings, numbers, booleans and None."""
        return self._encode(value)

    def _shared_bytes(self, value: bytes) -> str:
        if len(value) <= LONG_BYTES:
            return value.hex()
        number = self._known.get(value)
        if number is not None:
            return f"#{number}"
        if len(self._known) >= SHARED_MAX:
            self._known.clear()
        self._known[value] = self._written
        self._written += 1
        return f"#{self._written - 1}:{value.hex()}"

    def _of(self, hint: Any) -> _Coder | None:
        """How values of this type are encoded; None when they are plain already."""
        hint = bare(hint)
        if hint in self._made:
            return self._made[hint]
        self._made[hint] = made = self._make(hint)
        return made

    def _make(self, hint: Any) -> _Coder | None:
        if hint in {int, str, bool, NoneType}:
            return None
        if hint is bytes:
            return self._bytes
        if is_union(hint):
            return self._union(hint)
        origin, inner = get_origin(hint), get_args(hint)
        if origin is frozenset:
            one = self._of(inner[0])
            return sorted if one is None else lambda values: sorted(map(one, values))
        if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
            each = self._of(inner[0])
            return list if each is None else lambda values: [each(value) for value in values]
        if origin is tuple:
            return _each([self._of(part) for part in inner])
        if isinstance(hint, type) and issubclass(hint, Enum):
            return attrgetter("name")
        assert is_dataclass(hint), hint
        return self._fields(hint)

    def _fields(self, cls: Any) -> _Coder:
        hints = fields_of(cls)
        names = [name for name, _ in hints]
        if not names:
            return lambda _value: []
        take = attrgetter(*names)
        changed = [(place, coder) for place, (_, hint) in enumerate(hints) if (coder := self._of(hint)) is not None]
        if len(names) == 1:
            only = changed[0][1] if changed else _same
            return lambda value: [only(take(value))]

        def encode(value: Any) -> list[Any]:
            found = list(take(value))
            for place, coder in changed:
                found[place] = coder(found[place])
            return found

        return encode

    def _union(self, hint: Any) -> _Coder | None:
        members = get_args(hint)
        classes = [member for member in members if is_dataclass(member)]
        others = [coder for member in members if member not in classes and (coder := self._of(member)) is not None]
        if len(classes) + len(others) == 1 and NoneType in members:
            one = self._of(classes[0]) if classes else others[0]
            assert one is not None
            return lambda value: None if value is None else one(value)
        if not classes:
            assert not others, hint
            return None
        assert not others, hint
        coders = {cls: (name_of(cls), self._of(cls)) for cls in classes}

        def encode(value: Any) -> Any:
            if value is None:
                return None
            name, coder = coders[type(value)]
            return [name, *coder(value)]  # type: ignore[misc]  # a dataclass always has one

        return encode


def _each(coders: list[_Coder | None]) -> _Coder:
    """A tuple of fixed length."""
    changed = [(place, coder) for place, coder in enumerate(coders) if coder is not None]

    def encode(values: Any) -> list[Any]:
        found = list(values)
        for place, coder in changed:
            found[place] = coder(found[place])
        return found

    return encode


def _same(value: Any) -> Any:
    return value
