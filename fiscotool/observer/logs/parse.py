"""Lines of a node's log become events: 3.x and both formats of 2.x, told apart line by line.

    level|YYYY-mm-dd HH:MM:SS.ffffff|thread|message      3.x, and 2.x from 2.11 on
    level|YYYY-mm-dd HH:MM:SS.ffffff|message             2.x to 2.10

Rule 1. Every line is counted once, as an event, as another module's, as the continuation of the line before, as unknown or as torn.
Rule 2. A line with a consensus badge is an event in any case: one whose text no table has is of kind UNKNOWN, and `unknown` counts it.
Rule 3. A line of a known text whose values do not stand where this release has them is read by their keys; what is not there is None.
Rule 4. Two lines in one (a process was killed while it wrote, the next went on) are two: the first is counted as torn.

How it is fast: most lines are told by a dictionary of badges and text; three shapes of lines are read by one expression each; the node's
state, which is half of most lines and the same in many, is read once for each text it has (docs/logs.md has the figures).

Sources: spec 3.x 5.1, spec 2.x 5.1; the recorded logs of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Final

from fiscotool.observer.logs import words2, words3
from fiscotool.observer.logs.counts import LogCounts
from fiscotool.observer.logs.events import Kind, LogEvent, OwnState
from fiscotool.observer.logs.rule import Rule, Shape
from fiscotool.observer.logs.times import LOCAL, Stamps

__all__ = ["LogParser"]

LEVELS: Final = frozenset({"trace", "debug", "info", "warning", "error", "fatal"})
_RULES: Final = words3.RULES | words2.RULES
_PREFIXES: Final = words3.PREFIXES + words2.PREFIXES
_OTHERS: Final = words3.OTHER_RULES | words2.OTHER_RULES
_OTHER_BADGES: Final = frozenset({"[BLOCK SYNC]", "[SYNC]", "[P2PService]", "[P2P]"})
_TROUBLE: Final = frozenset({Kind.TIMEOUT, Kind.FAST_VIEW_CHANGE, Kind.CATCH_UP})
_UNKNOWN: Final = Rule(Kind.UNKNOWN)
_BADGE: Final = "[CONSENSUS]"
_BADGE_CHARS_MAX: Final = 96
"""A consensus badge stands within this many characters of the thread's name, if at all."""
_NO_INDEX: Final = 2**64 - 1
_STATES_MAX: Final = 4096

_MESSAGE: Final = re.compile(r",reqHash=([0-9a-f]*)\.*,reqIndex=(-?\d+),reqV=(\d+),fromIdx=(\d+),")
_PROPOSAL: Final = re.compile(r",propHash=([0-9a-f]*)\.*,propIndex=(-?\d+)")
_INDEX_HASH: Final = re.compile(r",index=(-?\d+),hash=([0-9a-f]*)")
_STATE: Final = re.compile(
    r",committedIndex=(-?\d+),consNum=-?\d+,committedHash=([0-9a-f]*)\.*,view=(\d+),toView=(\d+),changeCycle=(\d+),expectedCheckPoint=(-?\d+)"
    r",Idx=(\d+),sealUntil=(-?\d+),waitResealUntil=(-?\d+),consensusTimeout=(\d+),nodeId=([0-9a-f]*)"
)
_NUMBER: Final = re.compile(r"-?\d+")
_HEAD_OF_LINE: Final = re.compile(r"(?:trace|debug|info|warning|error|fatal)\|20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\|")
_VARIABLE_BADGE: Final = re.compile(r"\[(?:id:[^\]]*|blk-\d+)\]")
_GROUP_BADGES: Final = re.compile(r"(?:\[g:\d+\]\s*)+")


class LogParser:
    """Reads the lines of one node, in the order they were written. Nothing is raised for any line.

    `skip`: kinds that are counted and not returned; they cost little.
    """

    def __init__(self, node: str, *, zone: tzinfo | None = LOCAL, skip: Iterable[Kind] = ()) -> None:
        self.node = node
        self.counts = LogCounts()
        self._skip = frozenset(skip)
        self._stamps = Stamps(zone)
        self._own: int | None = None
        self._states: dict[str, OwnState | None] = {}
        self._rules = dict(_RULES)
        self._was_trouble = False

    @property
    def zone(self) -> tzinfo | None:
        """The zone the stamps are read in."""
        return self._stamps.zone

    @zone.setter
    def zone(self, zone: tzinfo | None) -> None:
        self._stamps = Stamps(zone)

    def parse(self, lines: Sequence[str]) -> list[LogEvent]:
        """The events of `lines` (without line ends), which go on where the last call ended."""
        counts = self.counts
        by_kind = counts.by_kind
        rules, skip, epoch_s, node = self._rules, self._skip, self._stamps.epoch_s, self.node
        found: list[LogEvent] = []
        number = counts.line_count
        others = 0
        for line in lines:
            number += 1
            try:
                level, stamp, message = line.split("|", 2)
            except ValueError:
                counts.continuation_count += 1
                continue
            if level not in LEVELS:
                counts.continuation_count += 1
                continue
            if "|20" in message:
                message = self._untorn(level, stamp, message)
                level, stamp, message = message.split("|", 2)
            start = message.find(_BADGE, 0, _BADGE_CHARS_MAX)
            if start < 0:
                rule, message, comma = self._other(message)
                if rule is None:
                    others += 1
                    continue
            else:
                if start:
                    message = message[start:]
                comma = message.find(",")
                rule = rules.get(message if comma < 0 else message[:comma]) or self._rule_of(message, line)
            kind = rule.kind
            if rule.own:
                kind = self._told_apart(kind, rule, message)
            by_kind[kind] = by_kind.get(kind, 0) + 1
            if kind in skip:
                continue
            try:
                at_s = epoch_s(stamp)
            except ValueError:
                by_kind[kind] -= 1
                counts.continuation_count += 1
                continue
            height, view, digest, sender, weight, state = self._values(rule, message, comma)
            found.append(LogEvent(node, at_s, kind, height, view, digest, sender, weight, self._own, state, level, message, number))
        counts.line_count = number
        counts.other_count += others
        counts.event_count = sum(by_kind.values())
        return found

    def _told_apart(self, kind: Kind, rule: Rule, message: str) -> Kind:
        """A view of 2.x that was entered with no trouble since the one before is the idle chain's rotation."""
        if rule is words2.JOINED and not self._was_trouble and _number_of(message, "minView") == (_number_of(message, "view") or 0) + 1:
            return Kind.ROTATION_JOINED
        if kind in _TROUBLE:
            self._was_trouble = True
        elif rule is words2.ENTERED:
            if not self._was_trouble:
                return Kind.ROTATED
            self._was_trouble = False
        return kind

    def _values(self, rule: Rule, message: str, comma: int) -> tuple[int | None, int | None, str, int | None, int | None, OwnState | None]:
        """Height, view, digest, sender, weight and state."""
        shape = rule.shape
        if shape == Shape.NOTHING or comma < 0:
            return None, None, "", None, None, None
        state = self._state(message, comma)
        match shape:
            case Shape.MESSAGE:
                match_ = _MESSAGE.match(message, comma)
                if match_ is not None:
                    digest, height, view, sender = match_.groups()
                    weight = _number_of(message, rule.weight)
                    from_index = int(sender)
                    return int(height), int(view), digest, None if from_index == _NO_INDEX else from_index, weight, state
            case Shape.STATE:
                if state is not None:
                    return state.head, state.view, state.head_hash, None, None, state
            case Shape.INDEX_HASH:
                match_ = _INDEX_HASH.match(message, comma)
                if match_ is not None:
                    return int(match_[1]), state.view if state else None, match_[2], None, None, state
            case Shape.PROPOSAL:
                match_ = _PROPOSAL.match(message, comma)
                if match_ is not None:
                    return int(match_[2]), state.view if state else None, match_[1], None, None, state
        return self._values_by_keys(rule, message, state)

    def _state(self, message: str, comma: int) -> OwnState | None:
        """The node's state in `message`, from memory when these words came before."""
        start = message.find(",committedIndex=", comma)
        if start < 0:
            return None
        # Where another field of this name comes before the state, the state's own is the one followed by consNum.
        end = message.find(",nodeId=", start)
        if end < 0:
            return None
        words = message[start : end + 16]
        state = self._states.get(words)
        if state is None:
            state = _read_state(words)
            if state is None:
                return None
            if len(self._states) >= _STATES_MAX:
                self._states.clear()
            self._states[words] = state
        self._own = state.own_index
        return state

    def _values_by_keys(
        self, rule: Rule, message: str, state: OwnState | None
    ) -> tuple[int | None, int | None, str, int | None, int | None, OwnState | None]:
        own = _number_of(message, rule.own)
        if own is not None:
            self._own = None if own == _NO_INDEX else own
        sender = _number_of(message, rule.sender)
        return (
            _number_of(message, rule.height),
            _number_of(message, rule.view),
            _text_of(message, rule.digest).rstrip("."),
            None if sender == _NO_INDEX else sender,
            _number_of(message, rule.weight),
            state,
        )

    def _other(self, message: str) -> tuple[Rule | None, str, int]:
        """The rule of a line without a consensus badge, or None; with the message from its first badge on, and its first comma."""
        start = message.find("[", 0, _BADGE_CHARS_MAX)
        if start < 0:
            return None, message, -1
        if message.startswith("[g:", start):
            group = _GROUP_BADGES.match(message, start)
            start = group.end() if group else start
        badge = message[start : message.find("]", start) + 1]
        if badge not in _OTHER_BADGES:
            return None, message, -1
        message = _VARIABLE_BADGE.sub("", message[start:], count=1)
        comma = message.find(",")
        return _OTHERS.get(message if comma < 0 else message[:comma]), message, comma

    def _rule_of(self, message: str, line: str) -> Rule:
        """The rule of a text that is not in the table as it stands: variable texts, and unknown ones."""
        text = message.split(",", 1)[0]
        for prefix, rule in _PREFIXES:
            if text.startswith(prefix):
                return rule
        self.counts.note_unknown(text, line)
        return _UNKNOWN

    def _untorn(self, level: str, stamp: str, message: str) -> str:
        """The last whole line in a line that has another begin within it, as `level|stamp|message`; what came before it is torn."""
        starts = [match.start() for match in _HEAD_OF_LINE.finditer(message)]
        if not starts:
            return f"{level}|{stamp}|{message}"
        self.counts.torn_count += len(starts)
        return message[starts[-1] :]


def _read_state(words: str) -> OwnState | None:
    match = _STATE.search(words)
    if match is None:
        return None
    head, head_hash, view, to_view, cycle, expected, index, seal, reseal, timeout_ms, node_id = match.groups()
    position = int(index)
    return OwnState(
        int(head),
        head_hash,
        int(view),
        int(to_view),
        int(cycle),
        int(expected),
        None if position == _NO_INDEX else position,
        int(seal),
        int(reseal),
        int(timeout_ms),
        node_id,
    )


def _text_of(message: str, key: str) -> str:
    """The value of the first field called `key`; empty where there is none, and for an empty `key`."""
    if not key:
        return ""
    start = message.find(f",{key}=")
    if start < 0:
        return ""
    start += len(key) + 2
    end = message.find(",", start)
    return message[start:end] if end >= 0 else message[start:]


def _number_of(message: str, key: str) -> int | None:
    """The number with which the value of the first field called `key` begins."""
    text = _text_of(message, key)
    if text.isdecimal():
        return int(text)
    match = _NUMBER.match(text)
    return int(match[0]) if match else None
