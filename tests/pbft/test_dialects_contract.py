"""The contract of `step`, for every dialect beside fisco3 (whose own tests are in test_contract.py)."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.pbft.dialects import DIALECTS, Dialect
from fiscotool.pbft.events import Event, Received, Started
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex
from tests.pbft.test_contract import events, messages, some_rules

OTHERS = [dialect for name, dialect in DIALECTS.items() if name != "fisco3"]


def first(dialect: Dialect, rules: Rules) -> Any:
    state, _ = dialect.step(dialect.initial_state(rules=rules, me=NodeIndex(0), height=Height(10), block_hash=Digest(b"head")), Started())
    return state


@pytest.mark.parametrize("dialect", OTHERS, ids=lambda dialect: dialect.name)
@settings(max_examples=150, deadline=None)
@given(rules=some_rules, sequence=st.lists(events, max_size=30))
def test_any_sequence_of_well_typed_events(dialect: Dialect, rules: Rules, sequence: list[Event]) -> None:
    """Never raises; equal arguments give equal results; nothing changed means the same object; everything is hashable."""
    state = first(dialect, rules)
    for event in sequence:
        new, effects = dialect.step(state, event)
        again, effects_again = dialect.step(state, event)
        assert (new, effects) == (again, effects_again)
        assert new is state or new != state or effects
        assert hash((new, effects)) == hash((again, effects_again))
        assert new.height >= state.height
        assert new.to_view >= new.view
        assert dialect.status(new).height == new.height
        state = new


@pytest.mark.parametrize("dialect", OTHERS, ids=lambda dialect: dialect.name)
@settings(max_examples=120, deadline=None)
@given(sequence=st.lists(st.builds(Received, messages), max_size=40))
def test_no_message_of_others_breaks_a_property(dialect: Dialect, sequence: list[Received]) -> None:
    """Whatever authentic messages arrive in whatever order, one correct replica keeps its rules (signers here sign anything)."""
    history = dialect.new_history()
    state = first(dialect, Rules((1, 1, 1, 1)))
    for event in sequence:
        if event.message.sender == 0:
            continue
        new, effects = dialect.step(state, event)
        assert history.check("node0", state, event, new, effects) == []
        state = new


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_a_state_is_made_of_values(dialect: Dialect) -> None:
    state = first(dialect, Rules((1, 1, 1, 1)))
    assert isinstance(state, tuple)
    assert not any(isinstance(value, (list, dict, set)) for value in state)
    assert all(not is_dataclass(value) or fields(value) for value in state)
