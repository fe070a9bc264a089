"""How many sealers there were at each height, where no line says it: by who voted, who led, and how many Commits were enough.

Rule 1. There are at least as many as the largest index that a node had at a height, or that voted there. A node that is no sealer shows
        the largest number its index can have.
Rule 2. Within that, the numbers are those which contradict least of what the logs tell of leaders and quorums. A change of the number must
        be worth `CHANGE_FACTS` of them, so that one wrong leader stays a wrong leader.
Rule 3. Of equally good ones, the smaller number.

Cost: heights times the square of the numbers in question, which are at most `NUMBERS_MAX`.

Sources: spec 2.x 1.1, 1.6, 1.12; spec 3.x 1.5, 1.6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from fiscotool.pbft.quorum import quorum_weight
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["CHANGE_FACTS", "NO_SEALER_MIN", "Sightings", "sealer_counts"]

NO_SEALER_MIN: Final = 0xFFFF
"""From here on an index says that its node is no sealer: 2.x shows 65,535, 3.x 2^64 - 1."""

CHANGE_FACTS: Final = 3
NUMBERS_MAX: Final = 8

_OF_NEXT: Final = frozenset({Act.PROPOSE, Act.SEND_PREPARE, Act.PREPARED, Act.EXECUTED, Act.COMMITTED_LOCAL})
"""Acts about the height after the ledger, at which the own index is the one in force."""
_VOTES: Final = frozenset({Act.RECEIVE_PREPARE, Act.RECEIVE_COMMIT, Act.SEND_PREPARE})


class Sightings:
    """What records tell of the number of sealers, by height."""

    def __init__(self) -> None:
        self.at_least: dict[int, int] = defaultdict(int)
        self.leaders: dict[int, set[tuple[int, int]]] = defaultdict(set)
        """Height -> (view, who led)."""
        self.enough: dict[int, int] = {}
        """Height -> the fewest Commits with which a block was committed."""

    def note(self, records: Iterable[TraceRecord]) -> None:
        """Take over what these records tell."""
        for record in records:
            height, act = record.height, record.act
            if height is None:
                continue
            if act in _VOTES:
                self._index(height, record.sender)
            if act in _OF_NEXT:
                self._index(height, record.index)
            if act is Act.SEND_PREPARE and record.view is not None and record.sender is not None:
                self.leaders[height].add((record.view, record.sender))
            if act is Act.COMMITTED_LOCAL and record.weight:
                self.enough[height] = min(record.weight, self.enough.get(height, record.weight))

    def _index(self, height: int, index: int | None) -> None:
        if index is not None and 0 <= index < NO_SEALER_MIN:
            self.at_least[height] = max(self.at_least[height], index + 1)

    def contradicted(self, height: int, number: int) -> int:
        """How many of the facts at `height` are not so with `number` sealers of a 2.x chain."""
        wrong = sum((height - 1 + view) % number != leader for view, leader in self.leaders.get(height, ()))
        return wrong + (height in self.enough and self.enough[height] < quorum_weight(number))


def sealer_counts(seen: Sightings) -> list[tuple[int, int]]:
    """(first height, number of sealers) in order of heights, the first from height 0 on; empty when nothing was seen."""
    heights = sorted(height for height, number in seen.at_least.items() if number)
    if not heights:
        return []
    largest = max(seen.at_least.values())
    often = Counter(seen.at_least[height] for height in heights)
    numbers = sorted({largest, *(number for number, _ in often.most_common(NUMBERS_MAX - 1) if number)})
    costs = dict.fromkeys(numbers, 0.0)
    came_from: list[dict[int, int]] = []
    for height in heights:
        before, costs, steps = costs, {}, {}
        for number in numbers:
            best = min(numbers, key=lambda other: (before[other] + CHANGE_FACTS * (other != number), other != number))
            steps[number] = best
            possible = number >= seen.at_least[height]
            costs[number] = before[best] + CHANGE_FACTS * (best != number) + seen.contradicted(height, number) if possible else float("inf")
        came_from.append(steps)
    number = min(numbers, key=lambda each: (costs[each], each))
    found: list[tuple[int, int]] = []
    for place in range(len(heights) - 1, -1, -1):
        before_this = came_from[place][number]
        if place == 0 or before_this != number:
            found.append((heights[place] if place else 0, number))
        number = before_this
    return found[::-1]
