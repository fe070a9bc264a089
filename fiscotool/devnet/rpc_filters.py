"""Filters: what is new since a client last asked.

Rule 1. A filter starts at the block after the one that was the last when it was made; each question moves it on, by at most
        `BLOCKS_PER_QUESTION` blocks, so a client that was away asks again until it gets an empty list.
Rule 2. A filter that nobody asked about for `lifetime_s` is gone. There are at most `FILTERS_MAX`; the one unused for longest goes first.
Rule 3. A pending-transaction filter tells transactions when their block is durable, not when they enter the pool: the real node does so.

The two ports have filters of their own, and their own code for refusing: -32602 on the native port, -32000 on the Ethereum one.

Sources: spec 3.x 2.3, 2.6; bcos-rpc filter/FilterSystem.cpp (300 s, 10 blocks a question); recordings (filter not found, -32000).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from fiscotool.devnet.rpc_errors import RpcFault, as_text
from fiscotool.devnet.rpc_logs import LogQuery, matching_logs, parse_query
from fiscotool.devnet.rpc_promise import Steps
from fiscotool.devnet.rpc_view import ChainView

__all__ = ["BLOCKS_PER_QUESTION", "FILTERS_MAX", "FilterKind", "Filters"]

BLOCKS_PER_QUESTION: Final = 10
FILTERS_MAX: Final = 10_000
_LIFETIME_S: Final = 300.0


class FilterKind(Enum):
    """What a filter tells."""

    BLOCKS = "hashes of new blocks"
    TRANSACTIONS = "hashes of new transactions"
    LOGS = "new logs"


@dataclass(slots=True)
class _Filter:
    kind: FilterKind
    next_number: int
    asked_s: float
    query: LogQuery | None = None


class Filters:
    """The filters of one port. `clock_s` is a monotonic clock in seconds."""

    def __init__(self, view: ChainView, clock_s: Callable[[], float], *, fault_code: int, lifetime_s: float = _LIFETIME_S) -> None:
        self._view = view
        self._clock_s = clock_s
        self._fault_code = fault_code
        self._lifetime_s = lifetime_s
        self._filters: dict[int, _Filter] = {}

    def __len__(self) -> int:
        return len(self._filters)

    def _expire(self, now_s: float) -> None:
        """Filters are kept in the order they were last asked about, so the expired ones come first."""
        filters = self._filters
        while filters:
            filter_id = next(iter(filters))
            if len(filters) < FILTERS_MAX and now_s - filters[filter_id].asked_s <= self._lifetime_s:
                return
            del filters[filter_id]

    def new(self, kind: FilterKind, params: Any = None) -> str:
        """Make a filter; its id as a hex quantity. `params` is the query of a log filter. Raises RpcFault."""
        query = parse_query(params, self._fault_code) if kind is FilterKind.LOGS else None
        if query is not None and not query.is_ordered:
            raise RpcFault(self._fault_code, "invalid block range params")
        now_s = self._clock_s()
        self._expire(now_s)
        filter_id = secrets.randbits(64) or 1
        self._filters[filter_id] = _Filter(kind, self._view.ledger.height + 1, now_s, query)
        return hex(filter_id)

    def uninstall(self, filter_id: Any) -> bool:
        """Forget a filter; whether there was one."""
        return self._filters.pop(self._id_of(filter_id), None) is not None

    def _id_of(self, filter_id: Any) -> int:
        text = as_text(filter_id)
        try:
            return int(text, 16)
        except ValueError:
            return -1

    def _touch(self, filter_id: Any) -> _Filter:
        now_s = self._clock_s()
        self._expire(now_s)
        number = self._id_of(filter_id)
        found = self._filters.pop(number, None)
        if found is None:
            raise RpcFault(self._fault_code, "filter not found")
        found.asked_s = now_s
        self._filters[number] = found
        return found

    def changes(self, filter_id: Any) -> Any:
        """What is new since the last question: a list, or the steps that make it. Raises RpcFault for an unknown filter."""
        one = self._touch(filter_id)
        height = self._view.ledger.height
        if one.query is not None:
            first = one.next_number if one.query.first is None else max(one.query.first, one.next_number)
            last = height if one.query.last is None else min(one.query.last, height)
            if last < first:
                return []
            last = min(last, first + BLOCKS_PER_QUESTION - 1)
            one.next_number = last + 1
            return self._search(one.query, first, last)
        numbers = range(one.next_number, min(height, one.next_number + BLOCKS_PER_QUESTION - 1) + 1)
        one.next_number += len(numbers)
        if one.kind is FilterKind.TRANSACTIONS:
            return [f"0x{tx_hash.hex()}" for number in numbers for tx_hash in self._view.ledger.block_tx_hashes(number)]
        blocks = [self._view.header(number) for number in numbers]
        return [f"0x{block.block_hash.hex()}" for block in blocks if block is not None]

    def logs(self, filter_id: Any) -> Steps:
        """All logs a log filter means, old ones too. Raises RpcFault for an unknown filter or one of another kind."""
        one = self._touch(filter_id)
        if one.query is None:
            raise RpcFault(self._fault_code, "filter not found")
        return self._query_steps(one.query)

    def query(self, params: Any) -> Steps:
        """The logs a query means (getLogs, eth_getLogs). Raises RpcFault."""
        query = parse_query(params, self._fault_code)
        if query.block_hash is None and not query.is_ordered:
            raise RpcFault(self._fault_code, "invalid block range params")
        return self._query_steps(query)

    def _query_steps(self, query: LogQuery) -> Steps:
        height = self._view.ledger.height
        if query.block_hash is not None:
            number = self._view.number_of(query.block_hash)
            if number is None:
                raise RpcFault(self._fault_code, "unknown block")
            return self._search(query, number, number)
        first = height if query.first is None else query.first
        last = height if query.last is None else min(query.last, height)
        return self._search(query, first, last)

    def _search(self, query: LogQuery, first: int, last: int) -> Steps:
        found: list[dict[str, Any]] = []
        for number in range(first, last + 1):
            block = self._view.block(number)
            if block is not None:
                for log in matching_logs(self._view, block, query):
                    if log is None:
                        yield
                    else:
                        found.append(log)
            yield
        return found
