"""From the configuration in force to the core's rules.

Sources: bcos-pbft `PBFTConfig.cpp` `resetConfig`, `PBFTTimer.h` (the time-out is longer than a leader may wait for transactions).
"""

from __future__ import annotations

from fiscotool.devnet.contracts import ChainConfig
from fiscotool.devnet.settings import Settings
from fiscotool.pbft.rules import Rules, timeout_for
from fiscotool.pbft.types import NodeIndex

__all__ = ["rules_of"]


def rules_of(config: ChainConfig, settings: Settings, node_id: bytes) -> tuple[Rules, NodeIndex | None]:
    """Rules for the next block, and the index of `node_id` in them, None for one that is no sealer. Ticks are milliseconds."""
    ids = [sealer.node_id for sealer in config.sealers]
    rules = Rules(
        weights=tuple(sealer.weight for sealer in config.sealers),
        leader_period_blocks=config.leader_period_blocks,
        pipeline_blocks=settings.pipeline_blocks,
        timeout_base_ticks=timeout_for(settings.min_seal_time_ms, settings.quirks),
        checkpoint_resend_ticks=settings.checkpoint_timeout_ms,
        quirks=settings.quirks,
        members=tuple(ids),
    )
    return rules, NodeIndex(ids.index(node_id)) if node_id in ids else None
