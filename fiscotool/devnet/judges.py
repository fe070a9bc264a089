"""Who judges what the pool of a generation may take in."""

from __future__ import annotations

from collections.abc import Callable, Container

from fiscotool.devnet.admission import Admission, Judge, PoolLedger
from fiscotool.devnet.lanes import Lanes
from fiscotool.devnet.pooled2 import Admission2

__all__ = ["make_judge"]


def make_judge(
    generation: int,
    ledger: PoolLedger,
    *,
    chain_id: str,
    group_id: str,
    known: Container[bytes],
    nonces: Container[bytes],
    lanes: Lanes,
    import_time_ms: Callable[[], int],
) -> Judge:
    """The judge of generation 2 or 3. The pool's: hashes held, digests of nonces held, Web3 nonces held."""
    if generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
        return Admission2(ledger, chain_id=chain_id, group_id=group_id, known=known, nonces=nonces)
    return Admission(ledger, chain_id=chain_id, group_id=group_id, known=known, nonces=nonces, lanes=lanes, import_time_ms=import_time_ms)
