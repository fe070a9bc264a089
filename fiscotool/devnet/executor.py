"""Executes blocks: transfers of value, Web3 nonces, system contracts; there is no EVM (contracts.Executor).

Rule 1. The result depends on the parent state, the header before execution and the transactions alone: not on what this node has
        committed yet, not on memory, not on time. No bytes of a transaction make it raise.
Rule 2. A transaction takes effect once: one whose native nonce was used in the last `block_limit` blocks or earlier in this block, or
        whose Web3 nonce is not its account's next, gets a receipt with status 10000 and changes nothing.
Rule 3. Execution may run ahead of the disk: an executed block is a layer over its parent until `on_committed`.
Rule 4. A Web3 nonce is used up also by a transaction that fails; nothing else of a failed one stays.

What a transaction gives, as recorded unless marked:
    to an account without code, no data     status 0, value moved
    to an account without code, with data   status 16, Error("Call address error.")
    to a system contract                    as precompiled.py says
    deployment                              status 10, Error("the embedded engine has no EVM …")   (ours: the real node deploys)
    a `to` that is no address               status 19                                              (ours)
Gas: every transaction uses 21000, as recorded for calls and system contracts; the gas price is 0 and nothing is charged.

Deviation: see state.py for the state root.

Sources: spec 3.x 1.8 step 11, 1.19, 3.4, 3.7, 6.1 (11); transaction-executor; recordings rpc/sendTransaction_cases.txt, rpc/read_methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from fiscotool.devnet import precompiled
from fiscotool.devnet.contracts import ExecutedBlock, PooledTx
from fiscotool.devnet.nonces import NonceWindow, nonce_digest
from fiscotool.devnet.outcome import (
    BAD_INSTRUCTION,
    CALL_ADDRESS_ERROR,
    NONCE_CHECK_FAIL,
    NOT_ENOUGH_CASH,
    OVERFLOW_VALUE,
    PRECOMPILED_ERROR,
    REVERT_INSTRUCTION,
    Outcome,
    failed,
    succeeded,
)
from fiscotool.devnet.receipts import ReceiptWriter
from fiscotool.devnet.state import Account, BlockState, StateChanges, StateReader, state_root
from fiscotool.ledger.header3 import BlockHeader, hash_header
from fiscotool.ledger.merkle import merkle_root

__all__ = ["BlockExecutor", "ExecutorLedger"]

_ADDRESS_HEX: Final = 40
_PRECOMPILED_PREFIXES: Final = ("0" * 35, "/sys/")
_UINT256_END: Final = 1 << 256

_PLAIN: Final = succeeded()
_NO_CODE: Final = failed(
    REVERT_INSTRUCTION, "Call address error: no contract is there, and the embedded engine has no EVM", revert_text="Call address error."
)
_NO_DEPLOYMENT: Final = failed(BAD_INSTRUCTION, "the embedded engine has no EVM: contracts cannot be deployed; a real chain can run them")
_NO_CASH: Final = failed(NOT_ENOUGH_CASH, "the sender's balance is below the value")
_OVERFLOW: Final = failed(OVERFLOW_VALUE, "the receiver's balance would not fit into 256 bits")
_NO_VALUE: Final = failed(PRECOMPILED_ERROR, "a system contract takes no value")
_USED_NONCE: Final = failed(NONCE_CHECK_FAIL, "NonceCheckFail")


class ExecutorLedger(StateReader, Protocol):
    """What the executor asks of the ledger."""

    nonces: NonceWindow

    @property
    def height(self) -> int:
        """Number of the last block."""


class _Layer:
    """An executed block that is not committed."""

    __slots__ = ("digests", "state")

    def __init__(self, state: BlockState) -> None:
        self.state = state
        self.digests: set[bytes] = set()


class BlockExecutor:
    """The executor of a node."""

    def __init__(self, ledger: ExecutorLedger) -> None:
        self._ledger = ledger
        self._layers: dict[int, _Layer] = {}

    def execute(self, header: BlockHeader, txs: Sequence[PooledTx]) -> ExecutedBlock:
        """Execute block `header.number`. `header` is as proposed, with its parent filled in; what execution fills in is ignored.

        Raises ValueError when the parent is neither committed nor executed here, or the block is committed already.
        """
        number = header.number
        parent = self._parent_of(number)
        self.discard_from(number)
        layer = _Layer(BlockState(number, parent))
        receipts = ReceiptWriter(number)
        fresh: list[bytes] = []
        for tx in txs:
            receipts.add(self._nonce_objection(tx, layer, fresh) or _run(tx.sender, tx.to, tx.value, tx.input, layer.state))
        self._layers[number] = layer
        state = layer.state
        executed = replace(
            header,
            txs_root=merkle_root([tx.tx_hash for tx in txs]),
            receipts_root=merkle_root(receipts.hashes),
            state_root=state_root(state.accounts, state.settings, state.changed_nodes),
            gas_used=str(receipts.gas_total),
            signatures=(),
        )
        return ExecutedBlock(
            number=number,
            proposal_hash=hash_header(
                replace(header, parents=(), txs_root=b"", receipts_root=b"", state_root=b"", gas_used="", signatures=())
            ),
            block_hash=hash_header(executed),
            header=executed,
            txs=tuple(txs),
            receipts=tuple(receipts.encoded),
            changes=StateChanges(state.accounts, state.settings, state.changed_nodes, receipts.failed_count, b"".join(fresh)),
            is_system=any(tx.is_system for tx in txs),
        )

    def _parent_of(self, number: int) -> StateReader:
        if number <= self._ledger.height:
            raise ValueError(f"block {number} is committed already")
        if number == self._ledger.height + 1:
            return self._ledger
        if number - 1 not in self._layers:
            raise ValueError(f"block {number} cannot be executed before block {number - 1}")
        return self._layers[number - 1].state

    def _nonce_objection(self, tx: PooledTx, layer: _Layer, fresh: list[bytes]) -> Outcome | None:
        """Use up the nonce (Rule 2)."""
        if tx.is_web3:
            account = layer.state.account(tx.sender)
            if int(tx.nonce, 16) != account.nonce:
                return _USED_NONCE
            layer.state.set_account(tx.sender, Account(account.balance, account.nonce + 1))
            return None
        digest = nonce_digest(tx.nonce)
        if digest in layer.digests or self._is_used(digest, layer.state.number):
            return _USED_NONCE
        layer.digests.add(digest)
        fresh.append(digest)
        return None

    def _is_used(self, digest: bytes, number: int) -> bool:
        # Nodes hold different windows and layers, according to what they have committed; the block it was used in decides (Rule 1).
        window = self._ledger.nonces
        first = number - window.limit_blocks
        if any(first <= at < number and digest in layer.digests for at, layer in self._layers.items()):
            return True
        if digest not in window:
            return False
        used_in = window.block_of(digest)
        return used_in is not None and used_in >= first

    def call(self, sender: bytes, to: str, data: bytes) -> tuple[int, bytes, str]:
        """Read-only call on the committed state: (status, output, message)."""
        return _run(sender, to, 0, data, BlockState(self._ledger.height + 1, self._ledger))

    def on_committed(self, number: int) -> None:
        """Block `number` is durable: the ledger answers for it from now on."""
        for at in [at for at in self._layers if at <= number]:
            del self._layers[at]
        following = self._layers.get(number + 1)
        if following is not None:
            following.state.rebase(self._ledger)

    def discard_from(self, number: int) -> None:
        """Forget executed, uncommitted blocks at and above `number`."""
        for at in [at for at in self._layers if at >= number]:
            del self._layers[at]


def _run(sender: bytes, to: str, value: int, data: bytes, state: BlockState) -> Outcome:
    """Execute one transaction or call; Rule 4 holds."""
    if not to:
        return _NO_DEPLOYMENT
    address = to.lower().removeprefix("0x")
    if address.startswith(_PRECOMPILED_PREFIXES) and precompiled.has(address):
        return precompiled.run(address, data, state) if not value else _NO_VALUE
    try:
        receiver = bytes.fromhex(address) if len(address) == _ADDRESS_HEX else b""
    except ValueError:
        receiver = b""
    if len(receiver) * 2 != _ADDRESS_HEX:
        return failed(CALL_ADDRESS_ERROR, "the receiver is not an address of 40 hex digits")
    if data:
        return _NO_CODE
    return _PLAIN if not value else _transfer(sender, receiver, value, state)


def _transfer(sender: bytes, receiver: bytes, value: int, state: BlockState) -> Outcome:
    source = state.account(sender)
    if source.balance < value:
        return _NO_CASH
    target = state.account(receiver)
    if sender != receiver:
        if target.balance + value >= _UINT256_END:
            return _OVERFLOW
        state.set_account(sender, source._replace(balance=source.balance - value))
        state.set_account(receiver, target._replace(balance=target.balance + value))
    return _PLAIN
