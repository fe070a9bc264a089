"""Reading the members of a JSON object one by one: typed, with a sentence when one is missing, and nothing dropped.

Rule 1. What was not asked for is in `extra()`: a newer node may tell more, and that must neither break a client nor get lost.
Rule 2. jsoncpp writes an empty list as null in places; a list member that is null counts as empty (bcos-rpc, `Json::Value` defaults).
Rule 3. This module knows no transport: what is wrong is an UnexpectedShape, which the client turns into MalformedAnswer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import orjson

T = TypeVar("T")
_SHOWN_CHARS = 60
_DIGITS_MAX = 78
_HEX_CHARS_MAX = 67
"""0x, a sign and 256 bits."""


class UnexpectedShape(Exception):  # says what was met
    """A value is not of the documented shape; the message names the member and shows what is there."""


def shown(value: object) -> str:
    """`value` as a short text for messages."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def as_integer(value: Any, what: str) -> int:
    """A JSON integer; true and false are not."""
    if type(value) is not int:
        raise UnexpectedShape(f"{what} is {shown(value)}, not an integer")
    return value


def as_text(value: Any, what: str) -> str:
    """A JSON string."""
    if type(value) is not str:
        raise UnexpectedShape(f"{what} is {shown(value)}, not a text")
    return value


def as_flag(value: Any, what: str) -> bool:
    """A JSON boolean."""
    if type(value) is not bool:
        raise UnexpectedShape(f"{what} is {shown(value)}, not true or false")
    return value


def as_quantity(value: Any, what: str) -> int:
    """An Ethereum quantity: hex text with 0x ("0x" alone counts as 0, as nodes say it), or a plain integer (net_peerCount)."""
    if type(value) is int:
        return value
    text = as_text(value, what)
    if len(text) > _HEX_CHARS_MAX:
        raise UnexpectedShape(f"{what} is {shown(value)}, longer than 256 bits")
    try:
        return int(text, 16) if text != "0x" else 0
    except ValueError as problem:
        raise UnexpectedShape(f"{what} is {shown(value)}, not a hex quantity") from problem


def as_decimal(value: Any, what: str) -> int:
    """A natural number as decimal text, of 78 digits (256 bits) at most."""
    text = as_text(value, what)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise UnexpectedShape(f"{what} is {shown(value)}, not a decimal text")
    return int(text)


def as_list(value: Any, what: str) -> list[Any]:
    """A JSON array; null counts as empty (Rule 2)."""
    if value is None:
        return []
    if type(value) is not list:
        raise UnexpectedShape(f"{what} is {shown(value)}, not a list")
    return value


def json_text(value: Any, what: str) -> Any:
    """JSON that a node sent as a text inside JSON (getConsensusStatus, getSyncStatus, genesisConfig, iniConfig).

    A node that sends the object itself is understood as well.
    """
    if type(value) is not str:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as problem:
        raise UnexpectedShape(f"{what} is a text that is not JSON: {shown(value)}") from problem


class Members:
    """The members of one JSON object; each `take` removes one from what `extra()` returns in the end."""

    __slots__ = ("_left", "_what")

    def __init__(self, value: Any, what: str) -> None:
        if type(value) is not dict:
            raise UnexpectedShape(f"{what} is {shown(value)}, not an object")
        self._left = dict(value)
        self._what = what

    def has(self, name: str) -> bool:
        """Whether member `name` is there, also when it is null."""
        return name in self._left

    def take(self, name: str) -> Any:
        """Member `name` as it is; UnexpectedShape when it is missing."""
        if name not in self._left:
            raise UnexpectedShape(f"{self._what} has no member {name!r}")
        return self._left.pop(name)

    def maybe(self, name: str, default: Any = None) -> Any:
        """Member `name` as it is, `default` when it is missing."""
        return self._left.pop(name, default)

    def integer(self, name: str) -> int:
        """Member `name`, an integer."""
        return as_integer(self.take(name), f"{self._what}.{name}")

    def text(self, name: str) -> str:
        """Member `name`, a text."""
        return as_text(self.take(name), f"{self._what}.{name}")

    def text_or(self, name: str, default: str = "") -> str:
        """Member `name`, a text; `default` when it is missing or null."""
        value = self.maybe(name)
        return default if value is None else as_text(value, f"{self._what}.{name}")

    def integer_or(self, name: str, default: T) -> int | T:
        """Member `name`, an integer; `default` when it is missing or null."""
        value = self.maybe(name)
        return default if value is None else as_integer(value, f"{self._what}.{name}")

    def text_or_none(self, name: str) -> str | None:
        """Member `name`, a text; None when it is missing or null."""
        value = self.maybe(name)
        return None if value is None else as_text(value, f"{self._what}.{name}")

    def flag(self, name: str) -> bool:
        """Member `name`, true or false."""
        return as_flag(self.take(name), f"{self._what}.{name}")

    def quantity(self, name: str) -> int:
        """Member `name`, an Ethereum quantity."""
        return as_quantity(self.take(name), f"{self._what}.{name}")

    def quantity_or_none(self, name: str) -> int | None:
        """Member `name`, an Ethereum quantity; None when it is missing or null."""
        value = self.maybe(name)
        return None if value is None else as_quantity(value, f"{self._what}.{name}")

    def each(self, name: str, parse: Callable[[Any, str], T]) -> tuple[T, ...]:
        """Member `name`, a list, with `parse(item, what it is)` applied to each item."""
        what = f"{self._what}.{name}"
        return tuple(parse(item, f"{what}[{index}]") for index, item in enumerate(as_list(self.take(name), what)))

    def each_or_none(self, name: str, parse: Callable[[Any, str], T]) -> tuple[T, ...] | None:
        """As `each`; None when the member is missing or null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.each(name, parse)

    def texts(self, name: str) -> tuple[str, ...]:
        """Member `name`, a list of texts."""
        return self.each(name, as_text)

    def extra(self) -> dict[str, Any]:
        """Every member that was not taken."""
        return self._left
