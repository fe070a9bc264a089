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
from typing import Any, Final

from fiscotool.devnet.contracts import ChainConfig, LedgerReader, Pool, PooledTx
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form3 import FORM3
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["Content", "ContentCache", "filler", "not_on_chain", "objection", "transactions_to_execute"]

_CACHED_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Content:
    """What a proposal's bytes say."""

    header: Any
    digest: bytes
    tx_hashes: tuple[bytes, ...]
    form_objection: str = ""
    """What the form of its generation has against the header (form.BlockForm.proposal_objection)."""


def parse(proposal: Proposal, form: BlockForm = FORM3) -> Content:
    """The content of a proposal with data. Raises LedgerFormatError."""
    header, tx_hashes = form.decode_proposal(proposal.data)
    return Content(header, form.hash_header(header), tx_hashes, form.proposal_objection(header, tx_hashes))


class ContentCache:
    """Remembers what was parsed: a proposal is looked at when it is verified, executed and persisted."""

    def __init__(self, form: BlockForm = FORM3) -> None:
        self._form = form
        self._known: OrderedDict[bytes, Content] = OrderedDict()

    def of(self, proposal: Proposal) -> Content:
        """The content. Raises LedgerFormatError when there is none or it is not that of the digest."""
        content = self._known.get(proposal.digest)
        if content is None:
            content = parse(proposal, self._form)
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
    if content.form_objection:
        return content.form_objection
    if len(set(content.tx_hashes)) != len(content.tx_hashes):
        return "it holds a transaction twice"
    if len(content.tx_hashes) > config.tx_count_limit:
        return f"it holds {len(content.tx_hashes)} transactions, {config.tx_count_limit} are allowed"
    if proposal.is_filler and content.tx_hashes:
        return "it is a filler with transactions"
    return ""


def filler(
    index: Height, me: NodeIndex, config: ChainConfig, now_ms: int, *, form: BlockForm = FORM3, parent_hash: bytes = b""
) -> Proposal:
    """The empty proposal a new leader puts into a gap."""
    header = form.proposed_header(index, me, config, now_ms, [], parent_hash)
    return Proposal(index=index, digest=Digest(form.hash_header(header)), data=form.encode_proposal(header, []), sealer=me, is_filler=True)


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
