"""The network between simulated replicas: messages are delayed, lost, doubled, or cut off by a partition; never altered.

Rule. All choice comes from the seeded generator that the cluster hands in, in the order of the calls.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from fiscotool.sim.replica import Replica

Receiver = TypeVar("Receiver", bound=Replica)

_WORD_BITS: Final = 32
"""The generator makes words of so many bits; up to so many bits are the highest ones of one word."""

_DRAW_BITS: Final = 64
"""What one `random()` takes of the generator: two words."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the network is. Delays are ticks, both ends included; probabilities are per message and receiver."""

    delay_ticks_min: int = 1
    delay_ticks_max: int = 10
    loss_probability: float = 0.0
    duplicate_probability: float = 0.0


class Network:
    """Who can reach whom, and after which delays a message arrives."""

    def __init__(self, weather: Weather, rng: random.Random) -> None:
        self.weather = weather
        self._rng = rng
        self._group_of: dict[int, int] = {}

    def partition(self, groups: Iterable[Iterable[int]]) -> None:
        """Only members of one group reach each other; who is in no group is alone."""
        self._group_of = {member: number for number, group in enumerate(groups, start=1) for member in group}

    def heal(self, *, weather: Weather | None = None) -> None:
        """Everyone reaches everyone; `weather` replaces the present one."""
        self._group_of = {}
        self.weather = weather or self.weather

    def is_open(self, sender: int, receiver: int) -> bool:
        """Whether the link between two replicas is up."""
        if not self._group_of or sender == receiver:
            return True
        group = self._group_of.get(sender)
        return group is not None and group == self._group_of.get(receiver)

    def arrivals(self, sender: int, receiver: int) -> list[int]:
        """Delays in ticks after which copies of one message arrive: none, one or two."""
        if not self.is_open(sender, receiver) or self._rng.random() < self.weather.loss_probability:
            return []
        copies = 2 if self._rng.random() < self.weather.duplicate_probability else 1
        low, high = self.weather.delay_ticks_min, self.weather.delay_ticks_max
        if low == high:
            return [low] * copies
        return [low + self._below(high - low + 1) for _ in range(copies)]

    def spread(self, sender: int, receivers: Sequence[Receiver]) -> list[tuple[Receiver, int]]:
        """`arrivals` for one message to many receivers, in their order and with the same draws: (receiver, delay) of every copy."""
        weather, draw, bits = self.weather, self._rng.random, self._rng.getrandbits
        loss, doubled, low = weather.loss_probability, weather.duplicate_probability, weather.delay_ticks_min
        span = weather.delay_ticks_max - low + 1
        span_bits = span.bit_length()
        found: list[tuple[Receiver, int]] = []
        if not loss and not doubled and not self._group_of:
            # Nothing is lost or doubled, so of two draws nothing matters but that they are made: 64 bits each, below those of the delay.
            skipped = _DRAW_BITS * 2
            ahead = 0 if span == 1 else _WORD_BITS
            for receiver in receivers:
                extra = bits(skipped + ahead) >> (skipped + _WORD_BITS - span_bits) if ahead else bits(skipped) & 0
                while extra >= span:
                    extra = bits(span_bits)
                found.append((receiver, low + extra))
            return found
        for receiver in receivers:
            if (self._group_of and not self.is_open(sender, receiver.index)) or draw() < loss:
                continue
            for _ in range(2 if draw() < doubled else 1):
                extra = 0 if span == 1 else bits(span_bits)
                while extra >= span:
                    extra = bits(span_bits)
                found.append((receiver, low + extra))
        return found

    def _below(self, bound: int) -> int:
        """A number below `bound`: what `randint` draws, without its checks, which cost more than the draw."""
        bits = bound.bit_length()
        draw = self._rng.getrandbits(bits)
        while draw >= bound:
            draw = self._rng.getrandbits(bits)
        return draw
