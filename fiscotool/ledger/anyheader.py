"""A block object as any node tells it, 2.x or 3.x: which of the two it is, its header, its hash, and who signed it.

Rule 1. The generation is told by the members only one of them has: parentHash (2.x) or parentInfo (3.x).
Rule 2. Signatures are verified over the hash recomputed from the fields, never over the told one: a told hash is a claim.
Rule 3. Signatures of 128 bytes are national cryptography (SM2 over SM3 hashes). Nothing of such a block can be verified here, and that
        is said (NationalCrypto) rather than taken for a forged block.

Sources: spec 2.x 3.1 (gm), 3.3; spec 3.x 3.2, 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header2 import BlockHeader2, hash_header2, header2_from_rpc
from fiscotool.ledger.header3 import BlockHeader, hash_header, header_from_rpc
from fiscotool.ledger.rpc_json import data
from fiscotool.ledger.signatures import quorum_weight_of, signed_weight, verify_signature_list

_SM2_SIGNATURE_BYTES: Final = 128


class Generation(StrEnum):
    """Which FISCO BCOS a block is of. The values are those of rpc.dialect.Dialect."""

    FISCO2 = "2.x"
    FISCO3 = "3.x"


class NationalCrypto(LedgerFormatError):
    """The chain uses SM2 and SM3: its hashes and signatures cannot be verified by this tool."""


@dataclass(frozen=True, slots=True)
class AnyHeader:
    """A header of either generation. `block_hash` is recomputed from the fields, `told_hash` what the node claims."""

    generation: Generation
    header: BlockHeader | BlockHeader2
    block_hash: bytes
    told_hash: bytes

    @property
    def number(self) -> int:
        """The height."""
        return self.header.number

    @property
    def is_hash_right(self) -> bool:
        """Whether the told hash is that of the told fields."""
        return self.block_hash == self.told_hash

    def verdicts(self, sealers: tuple[bytes, ...] = ()) -> tuple[tuple[int, bool], ...]:
        """(index, is valid) of each signature over the recomputed hash. `sealers`: for a block that names none (spec 3.x 1.11)."""
        return verify_signature_list(self.header, self.block_hash, sealers or None)

    @property
    def quorum_weight(self) -> int:
        """What the distinct valid signers of this block must weigh."""
        return quorum_weight_of(self.header)

    @property
    def signed_weight(self) -> int:
        """What they weigh."""
        return signed_weight(self.header, self.block_hash)


def generation_of(told: dict[str, Any]) -> Generation:
    """Rule 1. Raises LedgerFormatError for an object that is of neither."""
    if isinstance(told, dict):
        if "parentInfo" in told:
            return Generation.FISCO3
        if "parentHash" in told:
            return Generation.FISCO2
    raise LedgerFormatError("the object is no block of FISCO BCOS: it has neither parentHash (2.x) nor parentInfo (3.x)")


def read_any_header(told: dict[str, Any]) -> AnyHeader:
    """The header in an object of getBlockBy… or getBlockHeaderBy…. Raises LedgerFormatError, and NationalCrypto (Rule 3)."""
    generation = generation_of(told)
    header: BlockHeader | BlockHeader2
    if generation is Generation.FISCO2:
        header = header2 = header2_from_rpc(told)
        block_hash = hash_header2(header2)
    else:
        header = header3 = header_from_rpc(told)
        block_hash = hash_header(header3)
    if any(len(signature) == _SM2_SIGNATURE_BYTES for _, signature in header.signatures):
        raise NationalCrypto(
            f"block {header.number} is signed with SM2: this chain uses national cryptography",
            hint="this tool verifies secp256k1 and keccak only; compare the nodes' hashes with one another instead",
        )
    return AnyHeader(generation, header, block_hash, data(told, "hash"))
