"""The values made in every block, as functions that make them faster (`quick.maker`) than their classes: same arguments, same values.

Sources: bench/simulator.py, for which values are made often.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft import effects, events, messages
from fiscotool.pbft.quick import maker

make_preprepare: Final = maker(messages.PrePrepare)
make_prepare: Final = maker(messages.Prepare)
make_commit: Final = maker(messages.Commit)
make_checkpoint: Final = maker(messages.CheckPoint)
make_certificate: Final = maker(messages.PreparedCertificate)

make_vote_record: Final = maker(effects.VoteRecord)
make_executed_record: Final = maker(effects.ExecutedRecord)
make_persist: Final = maker(effects.Persist)
make_broadcast: Final = maker(effects.Broadcast)
make_verify: Final = maker(effects.VerifyProposal)
make_execute: Final = maker(effects.Execute)
make_commit_block: Final = maker(effects.CommitBlock)
make_agreed_index: Final = maker(effects.AgreedIndex)
make_set_timer: Final = maker(effects.SetTimer)

make_received: Final = maker(events.Received)
make_verified: Final = maker(events.Verified)
make_executed: Final = maker(events.Executed)
make_ledger_advanced: Final = maker(events.LedgerAdvanced)
make_timer_fired: Final = maker(events.TimerFired)
