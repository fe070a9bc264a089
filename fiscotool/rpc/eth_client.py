"""The Ethereum JSON-RPC of a node: a minimal typed client, and a web3.py object for whoever wants all of it.

Facts (recorded): no TLS on this port, whatever the native port has; null means "not there"; batches are allowed; sendRawTransaction
answers after admission to the pool, not after the commit; an account without balance is refused by default (InsufficientFunds).

Source: spec 3.x 2.6. web3.py is imported by `web3_of` only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, UsageError
from fiscotool.rpc.codec import Asked, encode_request, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.eth_replies import (
    EthBlock,
    EthLog,
    EthReceipt,
    EthTransaction,
    eth_block,
    eth_logs,
    eth_receipt,
    eth_text,
    eth_transaction,
    quantity,
)
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from web3 import Web3

READ_S: Final = 5.0
T = TypeVar("T")
_ID_MAX: Final = 1 << 31
_WRITES: Final = frozenset({"eth_sendRawTransaction", "eth_newFilter", "eth_newBlockFilter", "eth_getFilterChanges", "eth_uninstallFilter"})


def _tag(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


class EthClient:
    """Talks to one node's Ethereum port. Blocks are numbers or tags (latest, earliest, pending)."""

    def __init__(self, url: str, *, timeout_s: float = READ_S, name: str = "", transport: Transport | None = None) -> None:
        self.url = url
        self.name = name or url
        self.timeout_s = timeout_s
        self._transport = transport if transport is not None else HttpTransport(url)
        self._ids = itertools.cycle(range(1, _ID_MAX))

    def close(self) -> None:
        """Drop kept connections."""
        self._transport.close()

    def call(self, method: str, params: list[Any] | tuple[Any, ...] = (), *, timeout_s: float | None = None) -> Any:
        """The `result` of any method, as parsed JSON. Raises as NodeClient.call does."""
        asked = Asked(method, next(self._ids), self.name, Dialect.ETHEREUM)
        try:
            body = encode_request(method, params, asked.request_id)
        except TypeError as problem:
            raise UsageError(f"the parameters of {method} cannot be written as JSON: {problem}") from problem
        answer = self._transport.post(body, asked=asked, timeout_s=timeout_s or self.timeout_s, may_repeat=method not in _WRITES)
        return parse_answer(answer, asked)

    def _typed(self, parse: Callable[[Any], T], method: str, *params: Any) -> T:
        result = self.call(method, params)
        try:
            return parse(result)
        except UnexpectedShape as problem:
            raise MalformedAnswer(
                f"{self.name} answered {method} with an unexpected shape: {problem}",
                node=self.name,
                method=method,
                hint="compare with: fiscotool rpc METHOD PARAMS…",
            ) from problem

    def chain_id(self) -> int:
        """Chain id that signed transactions must carry."""
        return self._typed(quantity, "eth_chainId")

    def block_number(self) -> int:
        """Height of the node's chain."""
        return self._typed(quantity, "eth_blockNumber")

    def gas_price(self) -> int:
        """Gas price in wei."""
        return self._typed(quantity, "eth_gasPrice")

    def balance(self, address: str) -> int:
        """Balance in wei (always the latest: the block parameter is ignored by the node)."""
        return self._typed(quantity, "eth_getBalance", address, "latest")

    def transaction_count(self, address: str, *, block: str = "latest") -> int:
        """Next nonce of an account; with block="pending" the pool's transactions count."""
        return self._typed(quantity, "eth_getTransactionCount", address, block)

    def code(self, address: str) -> str:
        """Code at an address; 0x without."""
        return self._typed(eth_text, "eth_getCode", address, "latest")

    def block(self, block: int | str = "latest", *, full: bool = False) -> EthBlock | None:
        """A block; None for one that is not there yet."""
        return self._typed(eth_block, "eth_getBlockByNumber", _tag(block), full)

    def block_by_hash(self, block_hash: str, *, full: bool = False) -> EthBlock | None:
        """A block; None for an unknown hash."""
        return self._typed(eth_block, "eth_getBlockByHash", block_hash, full)

    def transaction(self, tx_hash: str) -> EthTransaction | None:
        """A transaction; None for an unknown hash."""
        return self._typed(eth_transaction, "eth_getTransactionByHash", tx_hash)

    def receipt(self, tx_hash: str) -> EthReceipt | None:
        """A receipt; None while it is not committed."""
        return self._typed(eth_receipt, "eth_getTransactionReceipt", tx_hash)

    def logs(self, criteria: dict[str, Any]) -> tuple[EthLog | str, ...]:
        """Events; the node demands an address."""
        return self._typed(eth_logs, "eth_getLogs", criteria)

    def call_contract(self, transaction: dict[str, Any]) -> str:
        """Execute locally. Raises refusals.ExecutionFailed with `data` for a revert."""
        return self._typed(eth_text, "eth_call", transaction, "latest")

    def client_version(self) -> str:
        """Such as FISCO-BCOS-Web3RPC/3.16.4-Release/Linux/g++/…"""
        return self._typed(eth_text, "web3_clientVersion")

    def send_raw_transaction(self, raw_hex: str, *, tx_hash: str = "") -> str:
        """Send a signed Ethereum transaction; its hash, after admission to the pool. OutcomeUnknown when no answer comes."""
        try:
            return self._typed(eth_text, "eth_sendRawTransaction", raw_hex)
        except (OutcomeUnknown, MalformedAnswer) as problem:
            raise OutcomeUnknown(
                f"{problem.message}; the transaction {tx_hash or 'sent'} may be in the pool",
                node=self.name,
                method="eth_sendRawTransaction",
                tx_hash=tx_hash,
                hint="ask for its receipt (eth_getTransactionReceipt) before sending another with the same nonce",
            ) from problem


def web3_of(url: str, *, timeout_s: float = READ_S) -> Web3:
    """A web3.py object for the node's Ethereum port. Importing web3 takes about a second; that is why it happens here."""
    import requests
    from web3 import HTTPProvider, Web3

    session = requests.Session()
    session.trust_env = False
    return Web3(HTTPProvider(url, request_kwargs={"timeout": timeout_s}, session=session))
