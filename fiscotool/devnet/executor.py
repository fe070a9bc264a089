"""Executes blocks of either generation, in order, on top of executed, maybe uncommitted, parents (contracts.Executor).

Rule 1. The result depends on the parent state, the header before execution and the transactions alone: not on what this node has
        committed yet, not on memory, not on time. No bytes of a transaction make it raise.
Rule 2. A transaction takes effect once: one whose native nonce was used in the last `block_limit` blocks or earlier in this block, or
        whose Web3 nonce is not its account's next, gets a receipt with status 10000 and changes nothing.
Rule 3. Execution may run ahead of the disk: an executed block is a layer over its parent until `on_committed`.
Rule 4. A Web3 nonce is used up also by a transaction that fails; nothing else of a failed one stays.

What a transaction does, and how its receipt looks, is the form's (form.py): calls3.py, calls2.py.

Deviation: see state.py for the state root.

Sources: spec 3.x 1.8 step 11, 1.19, 3.4, 3.7, 6.1 (11); transaction-executor; recordings rpc/sendTransaction_cases.txt, rpc/read_methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fiscotool.devnet.contracts import ExecutedBlock, PooledTx
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.nonces import NonceWindow, nonce_digest
from fiscotool.devnet.outcome import Outcome
from fiscotool.devnet.state import Account, BlockState, StateChanges, StateReader, state_root

__all__ = ["BlockExecutor", "ExecutorLedger"]


class ExecutorLedger(StateReader, Protocol):
    """What the executor asks of the ledger."""

    nonces: NonceWindow

    @property
    def form(self) -> BlockForm:
        """How its blocks are written."""

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
        self._form = ledger.form
        self._layers: dict[int, _Layer] = {}

    def execute(self, header: Any, txs: Sequence[PooledTx]) -> ExecutedBlock:
        """Execute block `header.number`. `header` is as proposed, with its parent filled in; what execution fills in is ignored.

        Raises ValueError when the parent is neither committed nor executed here, or the block is committed already.
        """
        number = header.number
        parent = self._parent_of(number)
        self.discard_from(number)
        layer = _Layer(BlockState(number, parent))
        form = self._form
        receipts = form.receipts(number)
        fresh: list[bytes] = []
        for tx in txs:
            outcome = self._nonce_objection(tx, layer, fresh) or form.run(tx.sender, tx.to, tx.value, tx.input, layer.state)
            receipts.add(outcome, tx)
        self._layers[number] = layer
        state = layer.state
        root = state_root(state.accounts, state.settings, state.changed_nodes)
        encoded, hashes = receipts.finish(root)
        executed = form.executed_header(header, [tx.tx_hash for tx in txs], hashes, root, receipts.gas_total)
        return ExecutedBlock(
            number=number,
            proposal_hash=form.hash_header(form.as_proposed(header)),
            block_hash=form.hash_header(executed),
            header=executed,
            txs=tuple(txs),
            receipts=tuple(encoded),
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
                return self._form.used_nonce
            layer.state.set_account(tx.sender, Account(account.balance, account.nonce + 1))
            return None
        digest = nonce_digest(tx.nonce)
        if digest in layer.digests or self._is_used(digest, layer.state.number):
            return self._form.used_nonce
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
        return self._form.run(sender, to, 0, data, BlockState(self._ledger.height + 1, self._ledger))

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
