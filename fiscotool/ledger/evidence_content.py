"""What the transactions and receipts of a told block prove: their hashes, senders and roots, and what they claim of one another.

Rule 1. Members that no hash covers are claims. Those that the block, or the transaction beside a receipt, can confirm are compared with
        them: block hash and number, place in the block, transaction hash, sender, receiver, input, the receipt's own hash.
Rule 2. What nothing can confirm is left alone: importTime and extraData (3.x), proofs, the message of a status.
Rule 3. RPC does not show the payload of Web3 transactions of 3.x: their hashes and senders count as told (recorded; spec 3.x 2.4).

Sources: spec 2.x 3.1, 3.2; spec 3.x 3.2, 3.3; recordings blocks_full_node0 of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fiscotool.ledger import rpc_json
from fiscotool.ledger.anyheader import AnyHeader, Generation
from fiscotool.ledger.crypto import address_of, recover
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.merkle import EMPTY_ROOT, merkle_root
from fiscotool.ledger.merkle2 import merkle_root2
from fiscotool.ledger.receipt2 import hash_receipt2, receipt2_from_rpc
from fiscotool.ledger.receipt3 import hash_receipt, receipt_from_rpc
from fiscotool.ledger.rpc_objects import checksum_address, transaction_from_rpc
from fiscotool.ledger.tx2 import sender_of2, transaction2_from_rpc, transaction_hash2
from fiscotool.ledger.tx3 import hash_transaction_data

_DIGITS: Final = 16
_SHARED: Final = ("from", "to", "input")
"""Members that a receipt repeats from its transaction."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not agree. `kind` is a word of the table in ledger.evidence."""

    kind: str
    text: str


def short(digest: bytes) -> str:
    """The first digits of a hash."""
    return f"0x{digest.hex()[:_DIGITS]}…"


# Transactions


def transaction_faults(seen: AnyHeader, listed: Sequence[Any]) -> tuple[int, list[Fault]]:
    """How many transactions (hashes, or whole) the block lists, and what is wrong with them. Raises LedgerFormatError."""
    faults: list[Fault] = []
    hashes: list[bytes] = []
    for place, item in enumerate(listed):
        if not isinstance(item, dict):
            hashes.append(rpc_json.hex_bytes(item, "transactions"))
            continue
        hashes.append(rpc_json.data(item, "hash"))
        name = f"transaction {place} ({short(hashes[-1])})"
        try:
            problem = _fault_of_2(seen, place, item) if seen.generation is Generation.FISCO2 else _fault_of_3(item)
        except BadSignature as bad:
            problem = f"is not signed: {bad.message}"
        except LedgerFormatError as bad:
            problem = f"cannot be read: {bad.message}"
        if problem:
            faults.append(Fault("transaction", f"{name} {problem}"))
    root = _root_over(seen, hashes)
    if root != seen.header.txs_root:
        told = short(seen.header.txs_root)
        faults.append(Fault("txs-root", f"its {len(hashes)} transactions have the root {short(root)}, the header says {told}"))
    return len(hashes), faults


def _root_over(seen: AnyHeader, hashes: Sequence[bytes]) -> bytes:
    if seen.generation is Generation.FISCO3:
        return merkle_root(hashes) if hashes or seen.header.txs_root else b""
    return merkle_root2(hashes) if seen.number else EMPTY_ROOT


def _fault_of_2(seen: AnyHeader, place: int, item: dict[str, Any]) -> str:
    tx = transaction2_from_rpc(item)
    if (computed := transaction_hash2(tx)) != rpc_json.data(item, "hash"):
        return f"has fields that hash to {short(computed)}"
    if (signer := sender_of2(tx)) != rpc_json.data(item, "from"):
        return f"was signed by 0x{signer.hex()}, not by its sender {item['from']}"
    if rpc_json.data(item["signature"], "signature") != tx.signature:
        return "tells its signature in two different ways"
    return _wrong_place(seen, place, item)


def _wrong_place(seen: AnyHeader, place: int, item: dict[str, Any]) -> str:
    """What a transaction or receipt of 2.x says of where it is."""
    if rpc_json.quantity(item, "blockNumber") != seen.number or rpc_json.quantity(item, "transactionIndex") != place:
        return f"claims to be number {item['transactionIndex']} of block {item['blockNumber']}"
    # A block whose own hash is wrong is one fault, not one for each of its transactions.
    if rpc_json.data(item, "blockHash") not in (seen.told_hash, seen.block_hash):
        return f"claims to be of a block with the hash {short(rpc_json.data(item, 'blockHash'))}"
    return ""


def _fault_of_3(item: dict[str, Any]) -> str:
    if item.get("version") == 0 and "gasLimit" in item:
        return ""  # Rule 3.
    tx = transaction_from_rpc(item)
    computed = hash_transaction_data(tx.data)
    if computed != tx.data_hash:
        return f"has fields that hash to {short(computed)}"
    signer = address_of(recover(computed, tx.signature))
    if signer != tx.sender:
        return f"was signed by 0x{signer.hex()}, not by its sender 0x{tx.sender.hex()}"
    return ""


# Receipts


def receipt_faults(seen: AnyHeader, listed: Sequence[Any], receipts: Sequence[dict[str, Any]]) -> list[Fault]:
    """What is wrong with the receipts of a block that lists these transactions (hashes, or whole). Raises LedgerFormatError."""
    is_two = seen.generation is Generation.FISCO2
    if is_two:
        hashes = [hash_receipt2(receipt2_from_rpc(receipt)) for receipt in receipts]
        root = merkle_root2(hashes)
    else:
        hashes = [hash_receipt(receipt_from_rpc(receipt)) for receipt in receipts]
        root = merkle_root(hashes)
    faults: list[Fault] = []
    if root != seen.header.receipts_root:
        told = short(seen.header.receipts_root)
        faults.append(Fault("receipts-root", f"its {len(receipts)} receipts have the root {short(root)}, the header says {told}"))
    for place, (receipt, tx) in enumerate(zip(receipts, listed, strict=False)):
        problems = list(_claims(receipt, tx))
        if is_two:
            problems += filter(None, [_wrong_place(seen, place, receipt)])
        else:
            problems += _claims_3(receipt, hashes[place])
        faults += [Fault("receipt", f"receipt {place} {problem}") for problem in problems]
    return faults


def _claims(receipt: dict[str, Any], tx: Any) -> Iterator[str]:
    """What a receipt repeats from its transaction."""
    tx_hash = rpc_json.data(tx, "hash") if isinstance(tx, dict) else rpc_json.hex_bytes(tx, "transactions")
    if rpc_json.data(receipt, "transactionHash") != tx_hash:
        yield f"claims to be of the transaction {short(rpc_json.data(receipt, 'transactionHash'))}, at its place is {short(tx_hash)}"
    elif isinstance(tx, dict):
        for name in _SHARED:
            if name in receipt and name in tx and receipt[name] != tx[name]:
                yield f"and its transaction differ in {name!r}"


def _claims_3(receipt: dict[str, Any], computed: bytes) -> Iterator[str]:
    if rpc_json.data(receipt, "hash") != computed:
        yield f"hashes to {short(computed)}, it is told as {short(rpc_json.data(receipt, 'hash'))}"
    address = rpc_json.text(receipt, "contractAddress").removeprefix("0x")
    if receipt.get("checksumContractAddress", checksum_address(address)) != checksum_address(address):
        yield f"spells the address 0x{address} as {receipt['checksumContractAddress']}"
