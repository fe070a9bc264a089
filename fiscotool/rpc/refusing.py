"""From an error answer to the exception that says what it means.

Rule 1. A refusal keeps the node's own words; C++ diagnostics of a page are cut down to the sentence in them.
Rule 2. A code without a class is a plain Refused: a newer node may have new ones.
Rule 3. The Ethereum port reports pool refusals under -32602 and -32603 with the status as message; there the name decides.

Sources: spec 3.x 2.5, 2.6; recordings rpc/bad_input, rpc/sendTransaction_cases.
"""

from __future__ import annotations

import re
from typing import Final

from fiscotool.errors import Refused
from fiscotool.rpc.refusals import ExecutionFailed, KnownRefusal, LedgerRefusal, PoolRefusal
from fiscotool.rpc.status import status_name

_MESSAGE_CHARS_MAX: Final = 300
_EXECUTION_CODES: Final = range(1, 100)


def _all(kind: type[KnownRefusal]) -> list[type[KnownRefusal]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _all(child))]


_BASES: Final = (KnownRefusal, LedgerRefusal, PoolRefusal, ExecutionFailed)
BY_CODE: Final[dict[int, type[KnownRefusal]]] = {kind.CODE: kind for kind in _all(KnownRefusal) if kind not in _BASES} | {
    LedgerRefusal.CODE: LedgerRefusal
}
"""The class of each documented code of the native port."""

BY_NAME: Final[dict[str, type[KnownRefusal]]] = {kind.__name__: kind for kind in _all(PoolRefusal)}
"""The class of each status name that the pool uses as a message."""

_SHARED_CODES: Final = frozenset({-32000, -32602, -32603})
"""Codes that mean something else on the Ethereum port."""


def essence(message: str) -> str:
    """The sentence in a C++ diagnostic of several lines (`std::exception::what: …`), else the message on one line, cut to length."""
    found = re.search(r"std::exception::what: (.+)", message)
    text = found.group(1) if found else message
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _MESSAGE_CHARS_MAX else f"{text[:_MESSAGE_CHARS_MAX]}…"


def refusal(code: int, message: str, *, node: str, method: str, data: object = None, is_ethereum: bool = False) -> Refused:
    """The exception for an error answer with `code` and `message`."""
    kind: type[Refused] = Refused
    known = BY_NAME.get(message.strip()) if is_ethereum else None
    if known is None and not (is_ethereum and code in _SHARED_CODES):
        known = BY_CODE.get(code)
    said = essence(message)
    if known is None and code in _EXECUTION_CODES:
        known, said = ExecutionFailed, said or status_name(code)
    meaning = hint = ""
    if known is not None:
        kind, hint = known, known.NEXT
        meaning = f": {(known.__doc__ or '').strip().rstrip('.')}" if known.__doc__ else ""
    subject = f"{node} refused {method}" if node else f"{method} was refused"
    return kind(f"{subject} with {said!r} (code {code}){meaning}", code=code, node=node, method=method, hint=hint, data=data)
