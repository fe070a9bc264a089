"""How a kind of line is read: what it means and where its values stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fiscotool.observer.logs.events import Kind

__all__ = ["Rule", "Shape"]


class Shape(IntEnum):
    """Where a line's values stand. The first four are what most 3.x lines look like, and are read fast."""

    MESSAGE = 0
    """`,reqHash=…,reqIndex=…,reqV=…,fromIdx=…,wait(ms)=…` (`printPBFTMsgInfo`), then the node's state or nothing."""
    PROPOSAL = 1
    """`,propHash=…,propIndex=…` (`printPBFTProposal`)."""
    INDEX_HASH = 2
    """`,index=…,hash=…`."""
    STATE = 3
    """Only the node's state (`printCurrentState`): the height is its head, the view its own."""
    KEYS = 4
    """Under the keys the rule names."""
    NOTHING = 5
    """No value is taken; `LogEvent.fields` has them all the same."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a line with a certain text means. The names are keys of the line's fields, empty for a value it does not tell."""

    kind: Kind
    shape: Shape = Shape.NOTHING
    height: str = ""
    view: str = ""
    digest: str = ""
    sender: str = ""
    weight: str = ""
    own: str = ""
