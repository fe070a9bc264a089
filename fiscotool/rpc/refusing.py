"""From an error answer to the exception that says what it means.

Rule 1. A refusal keeps the node's own words; C++ diagnostics of a page are cut down to the sentence in them.
Rule 2. A code without a class is a plain Refused: a newer node may have new ones.
Rule 3. The Ethereum port reports pool refusals under -32602 and -32603 with the status as message; there the name decides.
Rule 4. A code means what it means in the dialect that was spoken: -32603 is another thing in each of the three.

Sources: spec 3.x 2.5, 2.6; spec 2.x 2.2; recordings v3/rpc/bad_input, sendTransaction_cases, v2/rpc/bad_input.
"""

from __future__ import annotations

import re
from typing import Final

from fiscotool.errors import Refused
from fiscotool.rpc import refusals2
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.refusals import ExecutionFailed, KnownRefusal, LedgerRefusal, PoolRefusal
from fiscotool.rpc.refusals_ranges import kind_in_range
from fiscotool.rpc.status import status_name

_MESSAGE_CHARS_MAX: Final = 300
_EXECUTION_CODES: Final = range(1, 100)


def _all(kind: type[KnownRefusal]) -> list[type[KnownRefusal]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _all(child))]


_BASES: Final = (KnownRefusal, LedgerRefusal, PoolRefusal, ExecutionFailed)
_NATIVE: Final = [kind for kind in _all(KnownRefusal) if kind.__module__ == KnownRefusal.__module__]
BY_CODE: Final[dict[int, type[KnownRefusal]]] = {kind.CODE: kind for kind in _NATIVE if kind not in _BASES} | {
    LedgerRefusal.CODE: LedgerRefusal
}
"""The class of each documented code of the native port of 3.x."""

BY_NAME: Final[dict[str, type[KnownRefusal]]] = {kind.__name__: kind for kind in _NATIVE if issubclass(kind, PoolRefusal)}
"""The class of each status name that the pool uses as a message."""

_SHARED_CODES: Final = frozenset({-32000, -32602, -32603})
"""Codes that mean something else on the Ethereum port."""


_COMMENT: Final = re.compile(r"\[dev::tag_comment\*\] = (.+)")
_WHAT: Final = re.compile(r"std::exception::what: (.+)")


def essence(message: str) -> str:
    """The sentence in a C++ diagnostic of several lines, else the message on one line, cut to length.

    3.x says it after `std::exception::what:`; 2.x has an empty "std::exception" there and says it after `[dev::tag_comment*] =`.
    """
    found = _COMMENT.search(message) or _WHAT.search(message)
    text = found.group(1) if found else message
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _MESSAGE_CHARS_MAX else f"{text[:_MESSAGE_CHARS_MAX]}…"


def _kind_of(code: int, message: str, dialect: Dialect) -> type[KnownRefusal] | None:
    match dialect:
        case Dialect.FISCO2:
            return refusals2.kind_of(code, message)
        case Dialect.ETHEREUM:
            return BY_NAME.get(message.strip()) or (None if code in _SHARED_CODES else BY_CODE.get(code))
        case _:
            if message.startswith(refusals2.WORDS_OF_2X):
                return refusals2.AskedAs3x
            return BY_CODE.get(code) or kind_in_range(code)


def refusal(code: int, message: str, *, node: str, method: str, data: object = None, dialect: Dialect = Dialect.FISCO3) -> Refused:
    """The exception for an error answer with `code` and `message`."""
    kind: type[Refused] = Refused
    known = _kind_of(code, message, dialect)
    said = essence(message)
    if known is None and code in _EXECUTION_CODES:
        known, said = ExecutionFailed, said or status_name(code)
    meaning = hint = ""
    if known is not None:
        kind, hint = known, known.NEXT
        meaning = f": {(known.__doc__ or '').strip().rstrip('.')}" if known.__doc__ else ""
    subject = f"{node} refused {method}" if node else f"{method} was refused"
    return kind(f"{subject} with {said!r} (code {code}){meaning}", code=code, node=node, method=method, hint=hint, data=data)
