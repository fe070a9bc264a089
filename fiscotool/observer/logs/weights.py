"""How much each sealer weighs at each height, which no line says: by how much the weight told grows with its vote.

Rule 1. A vote that is counted brings the weight of its kind to what is told; what it adds is the weight of its sender. A first vote
        adds all of it. View changes say nothing: those of shorter ledgers are dropped untold.
Rule 2. The weights are those that contradict least of what the logs tell. A change of one must be worth `CHANGE_FACTS` of them, so that
        one wrong weight stays a wrong weight: a height has a fact of each sealer from every node and for every kind of vote.
Rule 3. Votes for a height are weighed by the list of sealers after the last block of who counts them. So only those for the next block
        count as facts.

Cost: the number of facts, times the number of weights in question.

Sources: spec 3.x 1.5, 1.6, 1.8; `observer.logs.sealers` (the same for the number of sealers).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from fiscotool.observer.logs.sealers import NO_SEALER_MIN
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["Facts", "facts_of", "sealer_weights", "weights_by_height"]

Facts = Mapping[int, Mapping[int, Counter[int]]]
"""Index -> height -> what its votes added, how often."""

_VOTES: Final = frozenset({Act.RECEIVE_PREPARE, Act.RECEIVE_COMMIT, Act.RECEIVE_CHECKPOINT})
_HEADS: Final = frozenset({Act.HEAD, Act.LEDGER_COMMIT, Act.SYNCED_BLOCK})
_NUMBERS_MAX: Final = 8
CHANGE_FACTS: Final = 2
"""A wrong weight is one wrong fact of its sender and one of the next; a change shows in the Prepare, the Commit and the checkpoint."""


def facts_of(records: Iterable[TraceRecord]) -> Facts:
    """What `records` tell; those of one replica in their order."""
    found: dict[int, dict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    heads: dict[str, int] = {}
    told: dict[tuple[str, Act, str], int] = {}
    for record in records:
        height, sender, weight, name = record.height, record.sender, record.weight, record.replica
        if record.act is Act.START or record.act in _HEADS:
            if height is None or heads.get(name, -1) != height:
                told = {key: before for key, before in told.items() if key[0] != name}
            heads[name] = -1 if height is None else height
            continue
        if height is None or sender is None or not weight or record.act not in _VOTES:
            continue
        if heads.get(name) == height - 1 and 0 <= sender < NO_SEALER_MIN:
            key = (name, record.act, record.digest)
            added = weight - told.get(key, 0)
            told[key] = weight
            if added > 0:
                found[sender][height][added] += 1
    return found


def sealer_weights(facts: Mapping[int, Counter[int]]) -> list[tuple[int, int]]:
    """(first height, weight) of one sealer in order of heights, the first from height 0 on; empty when nothing is known of it."""
    often: Counter[int] = Counter()
    for counted in facts.values():
        often.update(counted)
    numbers = [number for number, _ in often.most_common(_NUMBERS_MAX)]
    heights = sorted(facts)
    costs = dict.fromkeys(numbers, 0)
    came_from: list[dict[int, int]] = []
    for height in heights:
        counted = facts[height]
        all_facts, before = counted.total(), costs
        cheapest = min(numbers, key=lambda each: before[each])
        steps = {each: each if before[each] <= before[cheapest] + CHANGE_FACTS else cheapest for each in numbers}
        costs = {each: before[steps[each]] + CHANGE_FACTS * (steps[each] != each) + all_facts - counted[each] for each in numbers}
        came_from.append(steps)
    if not heights:
        return []
    number = min(numbers, key=lambda each: costs[each])
    found: list[tuple[int, int]] = []
    for place in range(len(heights) - 1, -1, -1):
        before_this = came_from[place][number]
        if place == 0 or before_this != number:
            found.append((heights[place] if place else 0, number))
        number = before_this
    return found[::-1]


def weights_by_height(facts: Facts, since: int, before: int, count: int) -> list[tuple[int, tuple[int, ...]]]:
    """(first height, weights by index) of `count` sealers at heights from `since` to `before` - 1; who never voted weighs 1."""
    changes: dict[int, dict[int, int]] = {since: {}}
    for index in range(count):
        told = {height: counted for height, counted in facts.get(index, {}).items() if since <= height < before}
        for place, (first, weight) in enumerate(sealer_weights(told)):
            changes.setdefault(first if place else since, {})[index] = weight
    weights, found = [1] * count, list[tuple[int, tuple[int, ...]]]()
    for first in sorted(changes):
        for index, weight in changes[first].items():
            weights[index] = weight
        found.append((first, tuple(weights)))
    return found
