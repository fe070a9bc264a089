"""What a block proves by itself: everything about one told block that can be recomputed is, and what does not agree is named.

| fault         | what was recomputed, and does not agree                                                                 |
|---------------|---------------------------------------------------------------------------------------------------------|
| malformed     | a member is missing, of another type or length: the block cannot be read                                |
| hash          | the told hash is not that of the told fields                                                            |
| signature     | an entry does not verify under the key of its sealer, names nobody of the list, or names one twice      |
| quorum        | the distinct valid signers weigh less than the quorum of the block's own sealer list                    |
| txs-root      | the root over the told transactions is not the header's                                                 |
| transaction   | a whole transaction does not hash to its hash, was not signed by its sender, or claims another block    |
| receipts-root | the root over the told receipts is not the header's                                                     |
| receipt       | a receipt claims another block, transaction, sender or hash than the one it is of                       |

Rule 1. Signatures are verified over the recomputed hash: they prove what the block says, not what it is called.
Rule 2. What was not told is not a fault and not verified either: roots need transactions and receipts, whole transactions their fields.
Rule 3. The genesis block has no signatures. In 2.x its roots are zeros.
Rule 4. stateRoot (and dbHash of 2.x) cannot be recomputed without executing the block; only the signatures vouch for them.

Transactions and receipts: ledger.evidence_content. Sources: spec 2.x 3.1 to 3.3; spec 3.x 3.2 to 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fiscotool.ledger import rpc_json
from fiscotool.ledger.anyheader import AnyHeader, NationalCrypto, read_any_header
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.evidence_content import Fault, receipt_faults, short, transaction_faults
from fiscotool.ledger.signatures import quorum_weight, weight_of

__all__ = ["Examined", "Fault", "examine"]


@dataclass(frozen=True, slots=True)
class Examined:
    """What a block was found to be. `header` is None for one that cannot be read, whose number is -1 and whose hash is empty.

    `signature_count` and `tx_count` are how many were verified; `receipts_verified` whether the receipts' root was.
    """

    header: AnyHeader | None
    faults: tuple[Fault, ...]
    signature_count: int = 0
    tx_count: int = 0
    receipts_verified: bool = False

    @property
    def block_hash(self) -> bytes:
        """Recomputed from the fields."""
        return self.header.block_hash if self.header is not None else b""

    @property
    def parent_hash(self) -> bytes:
        """The hash the block names as its parent's; empty for the genesis block."""
        parents = self.header.header.parents if self.header is not None else ()
        return parents[0][1] if parents else b""


def examine(
    told: dict[str, Any],
    *,
    receipts: Sequence[dict[str, Any]] | None = None,
    sealers_before: tuple[bytes, ...] = (),
    weights_before: tuple[int, ...] = (),
    known_roots: bool = True,
) -> Examined:
    """Everything `told`, a block or header of RPC, proves. Never raises but NationalCrypto.

    `receipts`: RPC objects of all its receipts, in order. `sealers_before`, `weights_before`: the list of the block below, for one that
    names no sealers (spec 3.x 1.11). `known_roots`: False for a 2.x chain below 2.2.0, whose roots cannot be recomputed.
    """
    try:
        seen = read_any_header(told)
    except NationalCrypto:
        raise
    except LedgerFormatError as problem:
        return Examined(None, (Fault("malformed", f"the block cannot be read: {problem.message}"),))
    faults: list[Fault] = []
    if not seen.is_hash_right:
        faults.append(Fault("hash", f"its fields hash to {short(seen.block_hash)}, it is told as {short(seen.told_hash)}"))
    signature_count = 0
    if seen.number:
        signature_count = len(seen.header.signatures)
        faults += _signature_faults(seen, sealers_before, weights_before)
    tx_count = 0
    receipts_verified = False
    if known_roots:
        try:
            if "transactions" in told:
                tx_count, found = transaction_faults(seen, rpc_json.array(told, "transactions"))
                faults += found
            if receipts is not None and (seen.number or receipts):
                faults += receipt_faults(seen, rpc_json.array(told, "transactions"), receipts)
                receipts_verified = True
        except LedgerFormatError as problem:
            faults.append(Fault("malformed", f"its content cannot be read: {problem.message}"))
    return Examined(seen, tuple(faults), signature_count, tx_count, receipts_verified)


def _signature_faults(seen: AnyHeader, sealers_before: tuple[bytes, ...], weights_before: tuple[int, ...]) -> list[Fault]:
    header = seen.header
    sealers, weights = (header.sealer_list, header.weights) if header.sealer_list else (sealers_before, weights_before)
    if not sealers:
        return [Fault("quorum", "it names no sealers, and neither does a block below it")]
    faults: list[Fault] = []
    signers: set[int] = set()
    for index, is_valid in seen.verdicts(sealers):
        if not 0 <= index < len(sealers):
            faults.append(Fault("signature", f"it is signed by sealer {index}, and has {len(sealers)} sealers"))
        elif not is_valid:
            faults.append(Fault("signature", f"the signature of sealer {index} ({sealers[index].hex()[:8]}…) does not verify"))
        elif index in signers:
            faults.append(Fault("signature", f"sealer {index} ({sealers[index].hex()[:8]}…) signs more than once"))
        else:
            signers.add(index)
    weight, quorum = weight_of(weights, signers), quorum_weight(weights, len(sealers))
    if weight < quorum:
        faults.append(Fault("quorum", f"valid signatures weigh {weight}, a quorum of its {len(sealers)} sealers weighs {quorum}"))
    return faults
