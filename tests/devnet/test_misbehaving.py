"""Nodes that lie by a strategy of the simulator or forge bytes: what they send is what they are for, and a sound node refuses it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fiscotool.chain.misbehaviour import BYZANTINE_MODES
from fiscotool.devnet.envelope import Envelope, NotAuthentic
from fiscotool.devnet.forging import forged_empty_block
from fiscotool.devnet.lying import STRATEGIES
from fiscotool.devnet.misbehaving import FORGING, make_liar, serve_block, served_until
from fiscotool.devnet.outgoing import SignedOutgoing
from fiscotool.devnet.settings import WireQuirk
from fiscotool.devnet.synced import check_block
from fiscotool.pbft.messages import Message, NewView, Prepare, PrePrepare, RecoverResponse, ViewChange
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.sim.liars_leading import LIARS
from tests.devnet.test_sync_blocks import grown
from tests.devnet.test_wire_messages import PROPOSAL, SEALERS, D, envelope

LIAR = 3
LEDGER: Any = SimpleNamespace(form=None, config=None, height=6)


class Wire:
    """Keeps what was sent, by receiver."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes]] = []

    def send(self, node_id: bytes, module: int, payload: bytes) -> bool:
        del module
        self.sent.append((node_id, payload))
        return True


def liar(kind: str) -> tuple[Any, Wire]:
    """The way out of sealer 3, at height 6 in view 3."""
    wire = Wire()
    straight = SignedOutgoing(envelope(LIAR), wire, own_id=SEALERS[LIAR], sealers=lambda: SEALERS, now_ms=lambda: 0)
    state = SimpleNamespace(
        me=NodeIndex(LIAR), height=Height(6), block_hash=D, rules=Rules((1,) * len(SEALERS)), view=View(3), view_changes=()
    )
    found = make_liar(straight, kind, LEDGER, lambda: state)
    assert found is not None
    return found, wire


def opened(wire: Wire, receiver: int, by: Envelope) -> list[Message]:
    """What a sealer makes of what it was sent."""
    return [by.open(data, SEALERS) for to, data in wire.sent if to == SEALERS[receiver]]


def test_every_mode_has_a_way_out() -> None:
    assert set(STRATEGIES.values()) <= set(LIARS)
    assert set(STRATEGIES) | set(FORGING) <= set(BYZANTINE_MODES)
    for kind in BYZANTINE_MODES:
        assert liar(kind)


def test_a_strategy_of_the_simulator_lies_on_the_wire() -> None:
    way_out, wire = liar("early")
    heard = way_out.broadcast(Prepare(View(3), Height(7), D, NodeIndex(LIAR)))
    assert (heard.view, heard.sender) == (3, LIAR)
    votes = opened(wire, 0, envelope(0))
    assert [vote.view for vote in votes if isinstance(vote, Prepare)] == [3, 4, 5]
    assert {to for to, _ in wire.sent} == set(SEALERS) - {SEALERS[LIAR]}


def test_an_isolating_leader_shows_its_block_to_two_and_votes_for_one() -> None:
    way_out, wire = liar("isolate")
    way_out.broadcast(PrePrepare(View(3), Height(7), D, NodeIndex(LIAR), PROPOSAL))
    assert [SEALERS.index(to) for to, _ in wire.sent] == [(LIAR + 2) % len(SEALERS), (LIAR + 3) % len(SEALERS)]
    del wire.sent[:]
    way_out.broadcast(Prepare(View(3), Height(7), D, NodeIndex(LIAR)))
    assert [SEALERS.index(to) for to, data in wire.sent if isinstance(envelope(0).open(data, SEALERS), Prepare)] == [
        (LIAR + 2) % len(SEALERS)
    ]


def test_a_repeated_view_change_is_authentic_and_a_new_view_of_it_too() -> None:
    way_out, wire = liar("repeater")
    way_out.broadcast(ViewChange(View(4), Height(6), D, NodeIndex(LIAR)))
    assert [type(message) for message in opened(wire, 0, envelope(0))] == [ViewChange, NewView]


@pytest.mark.parametrize(
    ("kind", "hole", "kind_of_message"),
    [("retype", WireQuirk.TYPE_UNSIGNED, RecoverResponse), ("forge-signature", WireQuirk.HASH_NOT_RECOMPUTED, ViewChange)],
)
def test_forged_bytes_pass_only_where_the_hole_is(kind: str, hole: WireQuirk, kind_of_message: type) -> None:
    way_out, wire = liar(kind)
    victim, receiver = 1, 0
    signer = envelope(victim, hole) if kind == "retype" else envelope(victim)
    vote, payload = signer.sign(Prepare(View(3), Height(7), D, NodeIndex(victim)), 0)
    way_out.on_heard(vote, payload)
    assert {SEALERS.index(to) for to, _ in wire.sent} == set(range(len(SEALERS))) - {LIAR, victim}
    with pytest.raises(NotAuthentic):
        opened(wire, receiver, envelope(receiver))
    open_one = envelope(receiver, hole)
    open_one.open(payload, SEALERS)
    (forged,) = opened(wire, receiver, open_one)
    assert isinstance(forged, kind_of_message)
    assert forged.sender == victim


def test_a_forged_empty_block_is_as_it_should_be_but_for_its_signatures() -> None:
    full: Any = grown(3)
    raw = forged_empty_block(full, 4, NodeIndex(0), 1_000)
    assert raw is not None
    assert serve_block(full, "forge-empty", 9) is None
    assert served_until("forge-empty", 3) > served_until("", 3) == 3
    header, transactions = full.form.decode_block(raw)
    assert not transactions
    parent = (full.height, full.head_hash)
    assert "signed with weight 0" in check_block(header, full.form.hash_header(header), full.config, parent=parent)
