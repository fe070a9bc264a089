"""Proposals as blocks before execution: what is in their bytes, and what must hold before this replica votes for one.

Rule 1. The digest is the hash of the header in `data`, the header's number is the proposal's height, its sealer the proposal's sealer,
        its sealer list and weights those in force. Upstream checks only the number (FIB-126, 128, 130, 142).
Rule 2. `data` holds transaction hashes, not transactions; no hash twice.
Rule 3. A filler has no transactions. It carries the sealer list like any other block, so that its signatures can be checked later
        (upstream leaves it out).

Sources: spec 3.x 1.3, 1.8 steps 2 and 5, 1.11; bcos-pbft `pbft/engine/Validator.cpp`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fiscotool.devnet.contracts import ChainConfig, LedgerReader, Pool, PooledTx
from fiscotool.ledger.block3 import Block, decode_block, encode_block
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header3 import BlockHeader, hash_header
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["Content", "ContentCache", "filler", "not_on_chain", "objection", "transactions_to_execute"]

_CACHED_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Content:
    """What a proposal's bytes say."""

    header: BlockHeader
    digest: bytes
    tx_hashes: tuple[bytes, ...]


def parse(proposal: Proposal) -> Content:
    """The content of a proposal with data. Raises LedgerFormatError."""
    block = decode_block(proposal.data)
    return Content(block.header, hash_header(block.header), tuple(one.hash for one in block.metadata))


class ContentCache:
    """Remembers what was parsed: a proposal is looked at when it is verified, executed and persisted."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Content] = OrderedDict()

    def of(self, proposal: Proposal) -> Content:
        """The content. Raises LedgerFormatError when there is none or it is not that of the digest."""
        content = self._known.get(proposal.digest)
        if content is None:
            content = parse(proposal)
            if content.digest != proposal.digest:
                raise LedgerFormatError("the proposal's hash is not the hash of its header")
            self._known[proposal.digest] = content
            if len(self._known) > _CACHED_MAX:
                self._known.popitem(last=False)
        return content


def objection(proposal: Proposal, content: Content, config: ChainConfig) -> str:
    """Why this replica must not vote for the proposal (Rule 1 and 2), or an empty text."""
    header = content.header
    if header.number != proposal.index:
        return f"its header has number {header.number}"
    if header.sealer != proposal.sealer:
        return f"its header names sealer {header.sealer}, the message sealer {proposal.sealer}"
    if header.sealer_list != tuple(sealer.node_id for sealer in config.sealers):
        return "its sealer list is not the one in force"
    if header.weights != tuple(sealer.weight for sealer in config.sealers):
        return "its weights are not those in force"
    if header.parents or header.txs_root or header.receipts_root or header.state_root or header.signatures:
        return "its header has what only an executed block has"
    if len(set(content.tx_hashes)) != len(content.tx_hashes):
        return "it holds a transaction twice"
    if len(content.tx_hashes) > config.tx_count_limit:
        return f"it holds {len(content.tx_hashes)} transactions, {config.tx_count_limit} are allowed"
    if proposal.is_filler and content.tx_hashes:
        return "it is a filler with transactions"
    return ""


def filler(index: Height, me: NodeIndex, config: ChainConfig, now_ms: int) -> Proposal:
    """The empty proposal a new leader puts into a gap."""
    header = BlockHeader(
        version=config.block_version,
        parents=(),
        txs_root=b"",
        receipts_root=b"",
        state_root=b"",
        number=index,
        gas_used="",
        timestamp_ms=now_ms,
        sealer=me,
        sealer_list=tuple(sealer.node_id for sealer in config.sealers),
        extra_data=b"",
        weights=tuple(sealer.weight for sealer in config.sealers),
    )
    return Proposal(index=index, digest=Digest(hash_header(header)), data=encode_block(Block(header)), sealer=me, is_filler=True)


def not_on_chain(tx_hashes: Sequence[bytes], ledger: LedgerReader) -> list[bytes]:
    """Those of `tx_hashes` that no block in the ledger has."""
    return [tx_hash for tx_hash in tx_hashes if ledger.tx_location(tx_hash) is None]


def transactions_to_execute(tx_hashes: Sequence[bytes], pool: Pool, ledger: LedgerReader) -> list[PooledTx] | None:
    """The transactions in order, without those that are on chain by now; None when one is neither there nor in the pool.

    A certified proposal may name a transaction that meanwhile came on chain in a lower block (`effects.VerifyProposal`). All replicas
    have the same blocks below, so all leave out the same.
    """
    found = []
    for tx_hash in tx_hashes:
        tx = pool.get(tx_hash)
        if tx is not None:
            found.append(tx)
        elif ledger.tx_location(tx_hash) is None:
            return None
    return found
