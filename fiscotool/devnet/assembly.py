"""The real parts of a node: pool, executor and sealer over one SQLite ledger.

Times: everything that measures a duration reads the monotonic clock, what is written into blocks and transactions the clock of the day.
"""

from __future__ import annotations

from collections.abc import Callable

from fiscotool.devnet.clocks import now_ms, steady_ms
from fiscotool.devnet.executor import BlockExecutor
from fiscotool.devnet.parts import Parts, SealerPort
from fiscotool.devnet.sealer import Sealer, SealerTask
from fiscotool.devnet.settings import Settings
from fiscotool.devnet.store import open_ledger
from fiscotool.devnet.txpool import TxPool
from fiscotool.pbft.messages import Proposal

__all__ = ["assemble"]


def assemble(settings: Settings, own_id: bytes) -> Parts:
    """Open the ledger in the node's data directory and put the parts on it. Raises store.LedgerError."""
    ledger = open_ledger(settings.data_path, settings.genesis)
    pool = TxPool(
        ledger,
        chain_id=settings.chain_id,
        group_id=settings.group_id,
        now_ms=steady_ms,
        import_time_ms=now_ms,
        limit=settings.pool_limit,
        expiration_ms=settings.tx_expiration_s * 1000,
        generation=settings.genesis.generation,
    )

    def make_sealer(propose: Callable[[Proposal], None]) -> SealerPort:
        sealer = Sealer(ledger, node_id=own_id, min_seal_time_ms=settings.min_seal_time_ms, wall_ms=now_ms)
        return SealerTask(sealer, pool, propose, steady_ms)

    return Parts(
        store=ledger,
        pool=pool,
        executor=BlockExecutor(ledger),
        make_sealer=make_sealer,
        pooled=ledger.form.pooled,
        pending=pool.pending_raws,
        close=ledger.close,
        expire=pool.expire,
        watch_dropped=lambda told: setattr(pool, "on_dropped", told),
    )
