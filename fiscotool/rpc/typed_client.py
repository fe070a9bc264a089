"""What the clients of both generations have in common: a table of methods, raw and typed calls, bounds, and what no answer means.

Rule 1. A method returns a typed reply or raises an RpcError (fiscotool.errors); a reply of an unexpected shape is MalformedAnswer.
Rule 2. Every call ends within its `timeout_s`.
Rule 3. A transaction without an answer, or with one that cannot be read, is OutcomeUnknown with its hash: it may be committed, and may
        yet be.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, UsageError
from fiscotool.rpc.codec import Asked, encode_request, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.methods import Method
from fiscotool.rpc.tls import TlsFiles
from fiscotool.rpc.transport import HttpTransport, Transport

READ_S: Final = 5.0
SEND_S: Final = 30.0
_ID_MAX: Final = 1 << 31


class TypedClient:
    """Talks to one node in one dialect. `name` is what messages call it; `group` its group; `tls` for an https URL.

    Safe from several threads.
    """

    dialect: ClassVar[Dialect]
    methods: ClassVar[Mapping[str, Method]]
    sending: ClassVar[frozenset[str]]
    """Methods that take a signed transaction."""
    send_answers_late: ClassVar[bool]
    """Whether such a method answers only after the commit, so that it needs `send_timeout_s`."""

    def __init__(
        self,
        url: str,
        *,
        group: str,
        timeout_s: float = READ_S,
        send_timeout_s: float = SEND_S,
        tls: TlsFiles | None = None,
        name: str = "",
        transport: Transport | None = None,
    ) -> None:
        self.url = url
        self.group = group
        self.name = name or url
        self.timeout_s = timeout_s
        self.send_timeout_s = send_timeout_s
        self._transport = transport if transport is not None else HttpTransport(url, tls=tls)
        self._ids = itertools.cycle(range(1, _ID_MAX))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop kept connections; the client can be used again."""
        self._transport.close()

    def call(self, method: str, params: list[Any] | tuple[Any, ...] = (), *, timeout_s: float | None = None) -> Any:
        """The `result` of any method with exactly these parameters, as parsed JSON."""
        known = self.methods.get(method)
        asked = Asked(method, next(self._ids), self.name, self.dialect)
        waits_s = timeout_s or (self.send_timeout_s if self.send_answers_late and method in self.sending else self.timeout_s)
        try:
            body = encode_request(method, params, asked.request_id)
        except TypeError as problem:
            raise UsageError(f"the parameters of {method} cannot be written as JSON: {problem}") from problem
        may_repeat = known is not None and not known.is_write
        return parse_answer(self._transport.post(body, asked=asked, timeout_s=waits_s, may_repeat=may_repeat), asked)

    def typed_call(self, method: str, params: tuple[Any, ...] = (), *, tx_hash: str = "", timeout_s: float | None = None) -> Any:
        """The typed reply of a method; `params` are those after group and node name (fiscotool.rpc.flows.Caller)."""
        known = self.methods.get(method)
        if known is None:
            raise UsageError(f"{method!r} is no native method of {self.dialect}", hint=f"one of: {', '.join(sorted(self.methods))}")
        try:
            return self._parsed(known, self.call(method, (*self._leading(known), *params), timeout_s=timeout_s))
        except (OutcomeUnknown, MalformedAnswer) as problem:
            if method not in self.sending:
                raise
            raise OutcomeUnknown(
                f"{problem.message}; the transaction {tx_hash or 'sent'} may be committed, and may yet be",
                node=self.name,
                method=method,
                tx_hash=tx_hash,
                hint=f"ask for its receipt: fiscotool query receipt {tx_hash or 'HASH'}",
            ) from problem

    def _leading(self, method: Method) -> tuple[Any, ...]:
        """The parameters every method of the kind begins with."""
        return ((self.group,) if method.takes_group else ()) + (("",) if method.takes_node else ())

    def _parsed(self, method: Method, result: Any) -> Any:
        try:
            return method.parse(result)
        except UnexpectedShape as problem:
            raise MalformedAnswer(
                f"{self.name} answered {method.name} with an unexpected shape: {problem}",
                node=self.name,
                method=method.name,
                hint=f"the node may be of another version than {self.dialect}; fiscotool rpc shows its raw answer",
            ) from problem
