"""The form of blocks of `classic` (form.BlockForm): that of 3.x, with one more thing in every proposal.

In `classic` a quorum signs a proposal before it is executed, and that is all that makes its block final. So the proposal's hash must name
its transactions, which in 3.x it does not (there a quorum signs the executed block, too).

Rule 1. `extra_data` of a header is the mark of ledger.signatures and the keccak-256 of the transactions' hashes, one after another.
Rule 2. A block of a peer holds exactly the transactions its header names. A certified proposal that names one which meanwhile came on chain
        below is executed without it (proposals.transactions_to_execute); its block is not taken from peers but through consensus only.

Sources: OSDI'99 section 4.2 (a pre-prepare names the request by its digest); form3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fiscotool.devnet.contracts import ChainConfig
from fiscotool.devnet.form3 import Form3
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.header3 import BlockHeader
from fiscotool.ledger.signatures import CLASSIC_MARK

__all__ = ["FORM_CLASSIC", "FormClassic"]


def _named(tx_hashes: Sequence[bytes]) -> bytes:
    return CLASSIC_MARK + keccak256(b"".join(tx_hashes))


class FormClassic(Form3):
    """See form.BlockForm, which documents every method."""

    def proposed_header(
        self, number: int, sealer: int, config: ChainConfig, timestamp_ms: int, tx_hashes: Sequence[bytes], parent_hash: bytes
    ) -> BlockHeader:
        """As in 3.x, and the transactions named (Rule 1)."""
        plain = super().proposed_header(number, sealer, config, timestamp_ms, tx_hashes, parent_hash)
        return replace(plain, extra_data=_named(tx_hashes))

    def proposal_objection(self, header: BlockHeader, tx_hashes: Sequence[bytes]) -> str:
        """What only an executed block has, or other transactions than it names."""
        plain = super().proposal_objection(replace(header, extra_data=b""), tx_hashes)
        return plain or self.block_objection(header, tx_hashes)

    def block_objection(self, header: BlockHeader, tx_hashes: Sequence[bytes]) -> str:
        """Rule 2."""
        return "" if header.extra_data == _named(tx_hashes) else "its transactions are not those that its header names"


FORM_CLASSIC: Final = FormClassic()
