"""From plain JSON values to events, effects, messages and records: the way back of `codec`.

Rule 1. Total: what is not of the form is a `CodecError` that says what should be there, never another exception.
Rule 2. Nothing is guessed or left over: every field is there, of its type, and none besides.

Sources: none; see `codec`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin

from fiscotool.pbft.codec import bare, fields_of, is_union, name_of

__all__ = ["CodecError", "Decoder"]

_Coder = Callable[[Any], Any]


class CodecError(ValueError):
    """A plain value is not of the form of the type it is decoded as."""


class Decoder:
    """The way back, with the table of long bytes of one encoder."""

    def __init__(self, hint: Any) -> None:
        self._known: dict[str, bytes] = {}
        self._made: dict[Any, _Coder] = {}
        self._decode = self._of(hint)

    def __call__(self, plain: Any) -> Any:
        """The value; the lists of the plain one are used up. Raises CodecError."""
        return self._decode(plain)

    def _of(self, hint: Any) -> _Coder:
        hint = bare(hint)
        made = self._made.get(hint)
        if made is None:
            made = self._made[hint] = self._make(hint)
        return made

    def _make(self, hint: Any) -> _Coder:
        plain = {int: _int, bool: _bool, str: _str, bytes: self._bytes}.get(hint)
        if plain is not None:
            return plain
        if is_union(hint):
            return self._union(hint)
        origin, inner = get_origin(hint), get_args(hint)
        if origin is frozenset or (origin is tuple and inner[-1] is Ellipsis):
            return _many(frozenset if origin is frozenset else tuple, self._of(inner[0]))
        if origin is tuple:
            return _fixed(_tuple, [self._of(part) for part in inner], "a tuple", self._bytes)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return _member(hint)
        assert is_dataclass(hint), hint
        return self._fields(hint)

    def _fields(self, cls: Any) -> _Coder:
        return _fixed(cls, [self._of(part) for _, part in fields_of(cls)], name_of(cls), self._bytes)

    def _bytes(self, plain: Any) -> bytes:
        try:
            return bytes.fromhex(plain)
        except TypeError as problem:
            raise _wrong("hex digits", plain) from problem
        except ValueError:
            return self._shared(plain)

    def _shared(self, plain: str) -> bytes:
        name, colon, digits = plain.partition(":")
        if not name.startswith("#"):
            raise _wrong("hex digits", plain)
        if not colon:
            found = self._known.get(name)
            if found is None:
                raise CodecError(f"{name[:20]} was not written before")
            return found
        try:
            value = self._known[name] = bytes.fromhex(digits)
        except ValueError as problem:
            raise _wrong("hex digits", plain) from problem
        return value

    def _union(self, hint: Any) -> _Coder:
        members = get_args(hint)
        classes = [member for member in members if is_dataclass(member)]
        others = [member for member in members if member not in classes and member is not NoneType]
        assert len(others) + bool(classes) == 1, hint
        is_optional = NoneType in members
        if len(classes) == 1 or others:
            one = self._of((classes or others)[0])
            return (lambda plain: None if plain is None else one(plain)) if is_optional else one
        coders = {name_of(cls): self._of(cls) for cls in classes}

        def decode(plain: Any) -> Any:
            if plain is None and is_optional:
                return None
            try:
                coder = coders[plain[0]]
            except (TypeError, LookupError):
                raise _wrong(f"one of {', '.join(coders)}", plain) from None
            return coder(plain[1:])

        return decode


def _wrong(wanted: str, plain: Any) -> CodecError:
    return CodecError(f"{str(plain)[:60]!r} where {wanted} should be")


def _int(plain: Any) -> int:
    if type(plain) is not int:
        raise _wrong("a whole number", plain)
    return plain


def _bool(plain: Any) -> bool:
    if plain is not True and plain is not False:
        raise _wrong("true or false", plain)
    return plain


def _str(plain: Any) -> str:
    if type(plain) is not str:
        raise _wrong("a text", plain)
    return plain


def _member(cls: type[Enum]) -> _Coder:
    members = dict(cls.__members__)

    def decode(plain: Any) -> Any:
        if type(plain) is not str or plain not in members:
            raise _wrong(f"a {cls.__name__}", plain)
        return members[plain]

    return decode


def _many(make: Callable[[Any], Any], one: _Coder) -> _Coder:
    def decode(plain: Any) -> Any:
        if type(plain) is not list:
            raise _wrong("a list", plain)
        return make([one(part) for part in plain])

    return decode


def _fixed(make: Callable[..., Any], coders: list[_Coder], what: str, unhex: _Coder) -> _Coder:
    """A list of so many fields, which is used up. Most are numbers or hex, so those are looked at without a call."""
    count = len(coders)
    numbers = [place for place, coder in enumerate(coders) if coder is _int]
    hexes = [place for place, coder in enumerate(coders) if coder == unhex]
    changed = [(place, coder) for place, coder in enumerate(coders) if coder is not _int and coder != unhex]
    from_hex = bytes.fromhex

    def decode(plain: Any) -> Any:
        if type(plain) is not list or len(plain) != count:
            raise _wrong(f"{what} of {count} fields", plain)
        for place in numbers:
            if type(plain[place]) is not int:
                raise _wrong("a whole number", plain[place])
        for place in hexes:
            try:
                plain[place] = from_hex(plain[place])
            except (TypeError, ValueError):
                plain[place] = unhex(plain[place])
        for place, coder in changed:
            plain[place] = coder(plain[place])
        return make(*plain)

    return decode


def _tuple(*values: Any) -> tuple[Any, ...]:
    return values
