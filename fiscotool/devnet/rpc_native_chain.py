"""Blocks, transactions, receipts, configuration and calls, as the native JSON-RPC answers them.

Codes of the ledger: 3003 for a negative number, 3006 for a block that is not there, 3008 for everything else that is not. A hash that is
too short names nothing; one that is not hex is -32600.

The embedded chain has no contract code: getCode and getABI answer the empty text a real node answers for an account without code.

Sources: spec 3.x 2.3-2.5; recordings rpc/*.jsonl.xz; bcos-rpc jsonrpc/JsonRpcImpl_2_0.cpp; bcos-ledger Ledger.cpp.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet import rpc_errors
from fiscotool.devnet.contracts import Sealer
from fiscotool.devnet.rpc_errors import RpcFault, as_text, data_of, hash_of
from fiscotool.devnet.rpc_native_shapes import sealers_list
from fiscotool.devnet.rpc_promise import Steps
from fiscotool.devnet.rpc_submit import call_data_of
from fiscotool.devnet.rpc_view import ChainView, ShownBlock
from fiscotool.ledger.crypto import address_of, keccak256, recover
from fiscotool.ledger.errors import BadSignature
from fiscotool.ledger.header3 import header_to_rpc
from fiscotool.ledger.receipt3 import hash_receipt
from fiscotool.ledger.rpc_objects import receipt_to_rpc, transaction_to_rpc

__all__ = ["NativeChain"]

_NO_HASH: Final = f"0x{bytes(32).hex()}"
_INVALID_SIGNATURE: Final = 10008


def _hash(text: str) -> bytes:
    try:
        return hash_of(text)
    except ValueError:
        raise RpcFault(rpc_errors.INVALID_REQUEST, rpc_errors.BAD_HEX) from None


class NativeChain:
    """Reads of the chain. Parameters are converted already; the group has been checked."""

    def __init__(self, view: ChainView) -> None:
        self._view = view

    def block(self, number: int, *, only_header: bool, only_hashes: bool) -> Any:
        """What getBlockByNumber answers."""
        if number < 0:
            raise RpcFault(rpc_errors.LEDGER_WRONG_ARGUMENT, "Wrong argument")
        block = self._view.header(number) if only_header else self._view.block(number)
        if block is None:
            raise RpcFault(rpc_errors.LEDGER_GET_BLOCK, "Get block failed with errors!")
        shown = header_to_rpc(block.header, block.block_hash)
        if only_header:
            return shown
        if not only_hashes:
            return self._with_transactions(block, shown)
        shown["transactions"] = [f"0x{tx_hash.hex()}" for tx_hash in block.tx_hashes]
        return shown

    def _with_transactions(self, block: ShownBlock, shown: dict[str, Any]) -> Steps:
        transactions = []
        for one in self._view.txs(block):
            transactions.append(transaction_to_rpc(one.tx, one.tx_hash, one.sender))
            yield
        shown["transactions"] = transactions
        return shown

    def block_by_hash(self, text: str, *, only_header: bool, only_hashes: bool) -> Any:
        """What getBlockByHash answers."""
        number = self._view.number_of(_hash(text))
        if number is None:
            raise RpcFault(rpc_errors.LEDGER_NOT_FOUND, "GetBlockNumberByHash failed ")
        return self.block(number, only_header=only_header, only_hashes=only_hashes)

    def block_hash(self, number: int) -> str:
        """What getBlockHashByNumber answers: zeros, not an error, for a block that is not there."""
        if number == 0:
            return f"0x{self._view.ledger.genesis_hash.hex()}"
        block = self._view.header(number)
        return _NO_HASH if block is None else f"0x{block.block_hash.hex()}"

    def transaction(self, text: str, *, needs_proof: bool) -> dict[str, Any]:
        """What getTransaction answers."""
        shown = self._view.tx(_hash(text))
        if shown is None:
            raise RpcFault(rpc_errors.LEDGER_NOT_FOUND, "GetBatchTxsByHashList error")
        result = transaction_to_rpc(shown.tx, shown.tx_hash, shown.sender)
        if needs_proof:
            result |= {"transactionProof": [], "txProof": self._view.tx_proof(shown)}
        return result

    def receipt(self, text: str, *, needs_proof: bool) -> dict[str, Any]:
        """What getTransactionReceipt answers."""
        shown = self._view.tx(_hash(text))
        receipt = None if shown is None else self._view.receipt(shown.tx_hash)
        if shown is None or receipt is None:
            raise RpcFault(rpc_errors.LEDGER_NOT_FOUND, "GetTransactionReceiptByHash")
        result = receipt_to_rpc(receipt, hash_receipt(receipt), shown.tx, shown.tx_hash, shown.sender)
        if needs_proof:
            result |= {"receiptProof": [], "transactionProof": [], "txReceiptProof": self._view.receipt_proof(shown)}
        else:
            result["transactionProof"] = None
        return result

    def nodes_by_type(self, kind: str) -> list[dict[str, Any]]:
        """What getNodeListByType answers: an unknown type has no nodes."""
        config = self._view.ledger.config
        if kind == "consensus_sealer":
            return sealers_list(config.sealers)
        if kind == "consensus_observer":
            return sealers_list(tuple(Sealer(node_id, 0) for node_id in config.observers))
        return []

    def system_config(self, key: str) -> dict[str, Any]:
        """What getSystemConfigByKey answers."""
        found = self._view.ledger.system_config(key)
        if found is None:
            raise RpcFault(rpc_errors.LEDGER_NOT_FOUND, f"Entry: {key} does not exists!")
        value, enable_number = found
        return {"blockNumber": enable_number, "value": value}

    def code(self, address: str) -> str:
        """What getCode answers."""
        self._check_address(address)
        return ""

    def abi(self, address: str) -> str:
        """What getABI answers."""
        self._check_address(address)
        return ""

    def _check_address(self, address: str) -> None:
        try:
            data_of(address)
        except ValueError:
            raise RpcFault(rpc_errors.INVALID_REQUEST, rpc_errors.BAD_HEX) from None

    def call(self, to: str, text: str, sign: Any) -> dict[str, Any]:
        """The call: executed on this node, not a transaction. `sign` is a signature over keccak(to ‖ data) that names the caller."""
        data = call_data_of(text)
        sender = bytes(20)
        if sign is not None:
            try:
                sender = address_of(recover(keccak256(to.encode() + data), data_of(as_text(sign))))
            except (BadSignature, ValueError):
                raise RpcFault(_INVALID_SIGNATURE, "Invalid signature") from None
        status, output, _ = self._view.facade.executor.call(sender, to, data)
        return {"blockNumber": self._view.ledger.height, "output": f"0x{output.hex()}", "status": status}
