"""Event logs: what a query asks for, which logs it means, how they are shown.

A query must name fromBlock, toBlock, address and topics; a real node of this release refuses it otherwise, also on the Ethereum port.
An empty list of addresses means any. `topics[i]` is a hash, a list of alternatives, or null for any; failed transactions have no logs.

Sources: spec 3.x 2.3, 2.6; recordings rpc/*.jsonl.xz (getLogs, eth_getLogs); bcos-rpc filter/FilterRequest.cpp, filter/LogMatcher.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.devnet.rpc_errors import RpcFault, as_text, hash_of
from fiscotool.devnet.rpc_view import ChainView, ShownBlock
from fiscotool.ledger.receipt3 import LogEntry

__all__ = ["LATEST_TAGS", "LogQuery", "block_number_of", "matching_logs", "parse_query"]

LATEST_TAGS: Final = frozenset({"latest", "safe", "finalized", "pending", ""})
_TOPICS_MAX: Final = 4
_REQUIRED: Final = ("fromBlock", "toBlock", "address", "topics")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which logs. `first` and `last` are block numbers, None for "latest"; addresses and topics are lower-case texts with 0x."""

    first: int | None
    last: int | None
    addresses: frozenset[str]
    topics: tuple[frozenset[str], ...]
    block_hash: bytes | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether the range can hold a block at all: from latest to a number cannot."""
        if self.first is None:
            return self.last is None
        return self.first >= 0 and (self.last is None or self.last >= self.first)


def block_number_of(value: Any) -> int | None:
    """A block tag or number as a number, None for the latest block. Raises ValueError for what is neither."""
    if type(value) is int:
        return value
    text = as_text(value)
    if text in LATEST_TAGS:
        return None
    if text == "earliest":
        return 0
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def _texts(value: Any) -> frozenset[str]:
    return frozenset(as_text(one).lower() for one in (value if isinstance(value, list) else [value]))


def parse_query(params: Any, fault_code: int) -> LogQuery:
    """The query in a parameter. Raises RpcFault(`fault_code`) with the node's words."""
    given = params if isinstance(params, dict) else {}
    for name in _REQUIRED:
        if given.get(name) is None:
            raise RpcFault(fault_code, f"{name} is null")
    topics = given["topics"] if isinstance(given["topics"], list) else [given["topics"]]
    if len(topics) > _TOPICS_MAX:
        raise RpcFault(fault_code, "exceed max topics")
    block_hash = as_text(given.get("blockhash"))
    try:
        return LogQuery(
            block_number_of(given["fromBlock"]),
            block_number_of(given["toBlock"]),
            _texts(given["address"]),
            tuple(frozenset() if one is None else _texts(one) for one in topics),
            hash_of(block_hash) if block_hash else None,
        )
    except ValueError:
        raise RpcFault(fault_code, "invalid block range params") from None


def _is_meant(query: LogQuery, log: LogEntry) -> bool:
    if query.addresses and f"0x{log.address.removeprefix('0x')}" not in query.addresses:
        return False
    if len(query.topics) > len(log.topics):
        return False
    return all(not wanted or f"0x{topic.hex()}" in wanted for wanted, topic in zip(query.topics, log.topics, strict=False))


def matching_logs(view: ChainView, block: ShownBlock, query: LogQuery) -> Iterator[dict[str, Any] | None]:
    """The logs of a block that are meant, as RPC shows them; a None after every transaction, for whoever wants to pause there."""
    for position, tx_hash in enumerate(block.tx_hashes):
        receipt = view.receipt(tx_hash)
        if receipt is not None and receipt.status == 0:
            for index, log in enumerate(receipt.logs):
                if _is_meant(query, log):
                    yield {
                        "address": f"0x{log.address.removeprefix('0x')}",
                        "blockHash": f"0x{block.block_hash.hex()}",
                        "blockNumber": hex(block.header.number),
                        "data": f"0x{log.data.hex()}",
                        "logIndex": hex(index),
                        "removed": False,
                        "topics": [f"0x{topic.hex()}" for topic in log.topics],
                        "transactionHash": f"0x{tx_hash.hex()}",
                        "transactionIndex": hex(position),
                    }
        yield None
