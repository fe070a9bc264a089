"""A block as a 2.x node tells it, in the members of 3.x that blocks are read by; its hash is of 2.x all the same.

Rule. Nothing is checked here: a member of another type becomes nothing, and the judge reports what is missing.

Sources: spec 2.x 3.3; fiscotool.ledger.header2.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header2 import hash_header2, header2_from_rpc

_HEX_CHARS_MAX: Final = 66
"""0x and 256 bits: no quantity of a block is longer."""


def is_told_by_2x(told: dict[str, Any]) -> bool:
    """Whether this object is of 2.x: only there a header names its parent directly and has a dbHash."""
    return "dbHash" in told and "parentHash" in told and "parentInfo" not in told


def number_of(value: Any) -> Any:
    """A quantity as an integer; anything else as it is."""
    if isinstance(value, str) and len(value) <= _HEX_CHARS_MAX:
        try:
            return int(value, 16)
        except ValueError:
            return value
    return value


def in_words_of_3x(told: dict[str, Any]) -> dict[str, Any]:
    """The members under their names in 3.x; `told` is not changed."""
    number = number_of(told.get("number"))
    sealers = told.get("sealerList")
    signatures = told.get("signatureList")
    gas_used = number_of(told.get("gasUsed"))
    return {
        "number": number,
        "hash": told.get("hash"),
        "parentInfo": [{"blockNumber": number - 1, "blockHash": told["parentHash"]}] if type(number) is int and number > 0 else [],
        "sealer": number_of(told.get("sealer")),
        "sealerList": sealers,
        "consensusWeights": [1] * len(sealers) if isinstance(sealers, list) else None,
        "signatureList": [
            {"sealerIndex": number_of(item.get("index")), "signature": item.get("signature")} if isinstance(item, dict) else item
            for item in (signatures if isinstance(signatures, list) else [])
        ],
        "timestamp": number_of(told.get("timestamp")),
        "transactions": told.get("transactions"),
        "txsRoot": told.get("transactionsRoot"),
        "receiptsRoot": told.get("receiptsRoot"),
        "stateRoot": told.get("stateRoot"),
        "gasUsed": str(gas_used) if type(gas_used) is int else gas_used,
    }


def recomputed_hash2(told: dict[str, Any]) -> str:
    """The hash of the header's fields as hex; "" when one of them is missing or of another type."""
    try:
        return hash_header2(header2_from_rpc(told)).hex()
    except LedgerFormatError:
        return ""
