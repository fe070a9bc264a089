"""The loops of the compiled walk, made for rows of so many words.

Each is plain Python over numpy arrays, one element at a time, which numba turns into machine code; that is why they look as they do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

WORD_BITS: Final = 64
MIX: Final = 0x9E3779B97F4A7C15
SHIFT: Final = 29
DOWN: Final = 20
PRIME: Final = 0x6A09E667F3BCC91D
"""The first prime above the fraction of the root of two in 63 bits. One near a power of two would make distant bits fall together."""

Njit = Callable[[Callable[..., Any]], Any]


class KernelMissing(Exception):
    """numba or numpy is not installed."""


@lru_cache
def compiled(words: int) -> tuple[Any, Any, Any, Any]:
    """look_up, add, grow for rows of so many words, and numpy. Raises KernelMissing."""
    try:
        numba, np = import_module("numba"), import_module("numpy")
    except ImportError as error:
        raise KernelMissing(f"{error.name} is not installed") from error
    put = _make_put(numba.njit, np)
    return _make_look_up(numba.njit, np, words), _make_add(numba.njit, np, words, put), _make_grow(numba.njit, np, put), np


def _make_look_up(njit: Njit, np: Any, words: int) -> Any:
    """The number of the situation of each needed part of each state; unknown ones get the next numbers."""
    mix, shift, down, one = np.uint64(MIX), np.uint64(SHIFT), np.uint64(DOWN), np.uint64(1)

    @njit
    def look_up(chunk: Any, masks: Any, keys: Any, values: Any, known: int, which: Any, need: Any, unknown: Any) -> int:
        last = np.uint64(len(values) - 1)
        new = 0
        for s in range(len(chunk)):
            for p in range(len(masks)):
                if not need[s] >> np.uint64(p) & one:
                    continue
                h = np.uint64(0)
                for w in range(words):
                    h = (h + (chunk[s, w] & masks[p, w])) * mix
                    h ^= h >> shift
                at = (h + np.uint64(p)) * mix >> down & last
                while True:
                    value = values[at]
                    if value < 0:
                        for w in range(words):
                            keys[at, w] = chunk[s, w] & masks[p, w]
                        keys[at, words] = np.uint64(p)
                        values[at] = known + new
                        which[s, p] = known + new
                        unknown[new, 0], unknown[new, 1] = s, p
                        new += 1
                        break
                    same = keys[at, words] == np.uint64(p)
                    for w in range(words):
                        same = same and keys[at, w] == chunk[s, w] & masks[p, w]
                    if same:
                        which[s, p] = value
                        break
                    at = (at + one) & last
        return new

    return look_up


def _make_put(njit: Njit, np: Any) -> Any:
    """Remembers a remainder; whether it is new."""
    mix, down, one = np.uint64(MIX), np.uint64(DOWN), np.uint64(1)

    @njit
    def put(table: Any, remainder: Any) -> bool:
        last = np.uint64(len(table) - 1)
        entry = remainder + one
        at = remainder * mix >> down & last
        while table[at]:
            if table[at] == entry:
                return False
            at = (at + one) & last
        table[at] = entry
        return True

    return put


def _make_add(njit: Njit, np: Any, words: int, put: Any) -> Any:
    """Adds every difference of every situation to its state and keeps what is new. Returns how many."""
    prime = np.uint64(PRIME)

    @njit
    def add(
        chunk: Any,
        prints: Any,
        which: Any,
        bounds: Any,
        differences: Any,
        remainders: Any,
        touched: Any,
        seen: Any,
        out: Any,
        out_prints: Any,
        out_which: Any,
        out_need: Any,
    ) -> int:
        new = 0
        for s in range(len(chunk)):
            for p in range(which.shape[1]):
                situation = which[s, p]
                for d in range(bounds[situation, 0], bounds[situation, 1]):
                    remainder = prints[s] + remainders[d]
                    if remainder >= prime:
                        remainder -= prime
                    if put(seen, remainder):
                        carry = np.uint64(0)
                        for w in range(words):
                            total = chunk[s, w] + differences[d, w]
                            over = np.uint64(total < chunk[s, w])
                            out[new, w] = total + carry
                            carry = over | np.uint64(out[new, w] < total)
                        out_prints[new] = remainder
                        for q in range(which.shape[1]):
                            out_which[new, q] = which[s, q]
                        out_need[new] = touched[d]
                        new += 1
        return new

    return add


def _make_grow(njit: Njit, np: Any, put: Any) -> Any:
    """The table of remainders, twice as large."""
    one = np.uint64(1)

    @njit
    def grow(seen: Any) -> Any:
        wider = np.zeros(2 * len(seen), np.uint64)
        for at in range(len(seen)):
            if seen[at]:
                put(wider, seen[at] - one)
        return wider

    return grow
