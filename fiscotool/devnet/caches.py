"""A cache of bounded size: the least recently used go first.

Sources: Python's collections.OrderedDict (`move_to_end`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["BoundedCache"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class BoundedCache(Generic[_Key, _Value]):
    """Holds entries of a total cost of at most `cost_max`, and always the last one put. Each costs 1, or `cost(value)`."""

    def __init__(self, cost_max: int, *, cost: Callable[[_Value], int] | None = None) -> None:
        self._cost_max = cost_max
        self._cost = cost or (lambda _: 1)
        self._total = 0
        self._entries: OrderedDict[_Key, _Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _Key) -> _Value | None:
        """The value, or None."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: _Key, value: _Value) -> None:
        """Remember a value."""
        former = self._entries.pop(key, None)
        if former is not None:
            self._total -= self._cost(former)
        self._entries[key] = value
        self._total += self._cost(value)
        while self._total > self._cost_max and len(self._entries) > 1:
            _, dropped = self._entries.popitem(last=False)
            self._total -= self._cost(dropped)
