"""The core's contract (head of step.py): total, deterministic, a no-op is identity, values, order of effects."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import (
    Event,
    Executed,
    FillersBuilt,
    LedgerAdvanced,
    PeersChanged,
    PoolSize,
    Proposed,
    Received,
    Started,
    SyncTarget,
    TimerFired,
    TimerName,
    Verified,
)
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalRequest,
    CommittedProposalResponse,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    Proposal,
    RecoverResponse,
    ViewChange,
)
from fiscotool.pbft.properties import History
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.state import initial_state
from fiscotool.pbft.step import by_handlers, step
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from tests.pbft.hand import replica

views = st.integers(0, 6).map(View)
heights = st.integers(9, 16).map(Height)
nodes = st.integers(-1, 5).map(NodeIndex)
digests = st.sampled_from([Digest(name) for name in (b"A", b"B", b"xA", b"xB", b"head", b"")])
signatures = st.lists(st.tuples(nodes, st.just(b"s")), max_size=5).map(tuple)
proposals = st.builds(
    Proposal, heights, digests, st.sampled_from([b"", b"data"]), st.booleans(), nodes.filter(lambda n: n >= 0), st.booleans()
).filter(lambda proposal: proposal.digest != b"")
certificates = st.builds(PreparedCertificate, views, proposals, signatures)
preprepares = st.builds(PrePrepare, views, heights, digests, nodes, proposals)
view_changes = st.builds(ViewChange, views, heights, digests, nodes, st.lists(certificates, max_size=2).map(tuple))
messages: st.SearchStrategy[Message] = st.one_of(
    preprepares,
    st.builds(Prepare, views, heights, digests, nodes, st.just(b"s")),
    st.builds(Commit, views, heights, digests, nodes),
    st.builds(CheckPoint, views, heights, digests, nodes, st.just(b"c")),
    view_changes,
    st.builds(NewView, views, heights, nodes, st.lists(view_changes, max_size=4).map(tuple), st.lists(preprepares, max_size=2).map(tuple)),
    st.builds(CommittedProposalRequest, heights, nodes),
    st.builds(CommittedProposalResponse, heights, nodes, st.none() | proposals),
    st.builds(PreparedProposalRequest, heights, digests, nodes),
    st.builds(PreparedProposalResponse, heights, nodes, st.none() | certificates),
    st.builds(RecoverResponse, views, heights, nodes, digests),
)
some_rules = st.builds(
    Rules,
    st.sampled_from([(1, 1, 1, 1), (1, 1, 1, 1, 1), (2, 1, 1), (1,)]),
    st.sampled_from([1, 3]),
    quirks=st.frozensets(st.sampled_from(Quirk)),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Received, messages),
    st.builds(Proposed, proposals.filter(lambda proposal: proposal.data != b"")),
    st.builds(Verified, heights, digests, st.booleans()),
    st.builds(Executed, heights, digests, st.none() | digests.filter(bool)),
    st.builds(LedgerAdvanced, heights, digests, some_rules, st.none() | st.just(NodeIndex(0)), st.booleans()),
    st.builds(TimerFired, st.sampled_from(TimerName), st.integers(0, 5)),
    st.builds(FillersBuilt, views, st.lists(proposals, max_size=2).map(tuple)),
    st.builds(PoolSize, st.integers(0, 3)),
    st.builds(SyncTarget, heights),
    st.builds(PeersChanged, st.just(frozenset({NodeIndex(1)})), st.frozensets(st.sampled_from([NodeIndex(i) for i in (1, 2, 3)]))),
)


@settings(max_examples=120, deadline=None)
@given(rules=some_rules, is_started=st.booleans(), sequence=st.lists(events, max_size=30))
def test_any_sequence_of_well_typed_events(rules: Rules, is_started: bool, sequence: list[Event]) -> None:
    """Never raises; equal arguments give equal results, by the shortcut too; nothing changed means the same object; everything is hashable."""
    state = initial_state(rules=rules, me=NodeIndex(0), height=Height(10), block_hash=Digest(b"head"))
    if is_started:
        state, _ = step(state, Started())
    else:
        state = state._replace(view=View(1), to_view=View(1), in_timeout=False, recovered=True)
    for event in sequence:
        new, effects = step(state, event)
        again, effects_again = by_handlers(state, event)
        assert (new, effects) == (again, effects_again)
        assert new is state or new != state or effects
        assert hash((new, effects)) == hash((again, effects_again))
        assert new.height >= state.height
        assert new.view >= state.view
        assert new.in_timeout or new.to_view == new.view
        assert len(new.slots) <= 2 * rules.pipeline_blocks or new.rules != rules
        state = new


@settings(max_examples=120, deadline=None)
@given(sequence=st.lists(st.builds(Received, messages), max_size=40))
def test_no_message_of_others_breaks_a_property(sequence: list[Received]) -> None:
    """Whatever authentic messages arrive in whatever order, one correct replica keeps its rules (signers here sign anything)."""
    hand = replica()
    history = History()
    state = hand.state
    for event in sequence:
        if event.message.sender == 0:
            continue
        new, effects = step(state, event)
        problems = [found for found in history.check("node0", state, event, new, effects) if found.rule != "new-view"]
        assert problems == []
        state = new


def test_unwelcome_messages_return_the_same_state() -> None:
    hand = replica()
    strange: list[Message] = [
        Prepare(View(0), Height(11), Digest(b"A"), NodeIndex(1)),
        Prepare(View(1), Height(10), Digest(b"A"), NodeIndex(1)),
        Prepare(View(1), Height(11), Digest(b"A"), NodeIndex(7)),
        Prepare(View(1), Height(1_000_000), Digest(b"A"), NodeIndex(1)),
        ViewChange(View(0), Height(3), Digest(b"A"), NodeIndex(1)),
        NewView(View(9), Height(10), NodeIndex(1), ()),
        RecoverResponse(View(9), Height(10), NodeIndex(1)),
        PreparedProposalResponse(Height(11), NodeIndex(1), None),
        CommittedProposalResponse(Height(11), NodeIndex(1), None),
    ]
    for message in strange:
        new, effects = step(hand.state, Received(message))
        assert new is hand.state
        assert [type(effect).__name__ for effect in effects] == ["Reject"]


def test_stale_timers_and_answers_change_nothing() -> None:
    state = replica().state
    quiet: list[Event] = [
        TimerFired(TimerName.VIEW, 99),
        TimerFired(TimerName.CHECKPOINT_RESEND, 99),
        Verified(Height(11), Digest(b"A"), is_valid=True),
        Executed(Height(11), Digest(b"A"), Digest(b"xA")),
        FillersBuilt(View(9), ()),
        LedgerAdvanced(Height(10), Digest(b"head"), state.rules, NodeIndex(0)),
        PoolSize(0),
        SyncTarget(Height(0)),
        PeersChanged(frozenset(), frozenset()),
    ]
    for event in quiet:
        assert step(state, event) == (state, ())
        assert step(state, event)[0] is state


def test_messages_of_two_types_never_compare_equal() -> None:
    prepare = Prepare(View(1), Height(11), Digest(b"A"), NodeIndex(1))
    commit = Commit(View(1), Height(11), Digest(b"A"), NodeIndex(1))
    assert prepare != commit  # type: ignore[comparison-overlap]
    assert len({prepare, commit}) == 2


_PROGRAM = """
import hashlib
from fiscotool.pbft.rules import Rules
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, recover, torment
seen = hashlib.sha256()
for seed in range(3):
    cluster = Cluster(Rules((1, 1, 1, 1, 1)), seed=seed)
    cluster.listeners.append(lambda *step: seen.update(repr(step[-1]).encode()))
    cluster.start()
    torment(cluster, Trouble(ticks=15_000))
    recover(cluster)
import sys
sys.stdout.write(seen.hexdigest())
"""


def test_the_order_of_sets_reaches_no_effect() -> None:
    """Two processes with different hash seeds do the same (contract, 2)."""

    def run(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, env=environment, timeout=60)
        return done.stdout

    assert len(run("0")) == 64
    assert run("0") == run("1")


@pytest.mark.parametrize("kind", ["Persist before Prepare", "Persist before Commit", "Persist before CheckPoint"])
def test_durable_first(kind: str) -> None:
    """Order is meaning (contract, 5)."""
    hand = replica()
    hand.agree(11, "A")
    hand.execute(11, "A")
    names: list[str] = []
    for effect in hand.effects:
        name = type(effect).__name__
        names.append(type(effect.message).__name__ if name == "Broadcast" else name)  # type: ignore[union-attr]
    message = kind.rsplit(" ", maxsplit=1)[-1]
    assert "Persist" in names[: names.index(message)]
    last_persist = max(i for i, name in enumerate(names[: names.index(message)]) if name == "Persist")
    assert not {"Prepare", "Commit", "CheckPoint"} & set(names[last_persist + 1 : names.index(message)])


def effect_names(effects: tuple[Effect, ...]) -> list[str]:
    """Type names, in order."""
    return [type(effect).__name__ for effect in effects]


def test_a_whole_block_asks_for_these_things_in_this_order() -> None:
    hand = replica(me=2)
    hand.commit_block(11, "A")
    wanted = [name for name in effect_names(tuple(hand.effects)) if name not in {"SetTimer", "CancelTimer", "AgreedIndex"}]
    assert wanted == [
        "VerifyProposal",
        "Persist",
        "Broadcast",
        "Persist",
        "Broadcast",
        "Execute",
        "Persist",
        "Broadcast",
        "CommitBlock",
    ]
