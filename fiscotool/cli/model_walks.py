"""What the walks behind `model check` share: what a walk comes to, ranges and lists as options, progress and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fiscotool.check.model import Exploration
    from fiscotool.cli.output import Output

REPLICAS = 4
BITS_MAX = 15
STATES_MAX = 20_000_000
"""Where a walk ends by itself: at about 3 GB."""


@dataclass(frozen=True)
class Walked:
    """A walk and what its bounds made impossible. `judges_guards`: whether it also fails for conjuncts that never decided."""

    method: str
    found: Exploration[Any]
    impossible: dict[str, str]
    judges_guards: bool = True

    @property
    def reachable(self) -> tuple[str, ...]:
        """Names of all that is counted."""
        return (*self.found.taken, *self.found.decided, *self.found.reached)

    @property
    def unexplained(self) -> list[str]:
        """What a complete walk never reached although it should be possible."""
        if not self.found.is_complete:
            return []
        never = (*self.found.never, *(self.found.undecided if self.judges_guards else ()))
        return [name for name in never if name not in self.impossible]

    def why_never(self, name: str) -> str:
        """The reason, for the table."""
        if any(counts.get(name) for counts in (self.found.taken, self.found.decided, self.found.reached)):
            return ""
        reason = self.impossible.get(name)
        if reason:
            return f"impossible: {reason}"
        is_judged = self.judges_guards or name not in self.found.decided
        return "NOT REACHED" if self.found.is_complete and is_judged else ""


def last_of(option: str, text: str, first: int, last_max: int) -> int:
    """The end of `first..N`, or of `N`."""
    low, dots, high = text.partition("..")
    last = high if dots else low
    is_number = last.isascii() and last.isdigit() and len(last) < BITS_MAX
    if not is_number or (dots and low != str(first)) or not first <= int(last) <= last_max:
        raise UsageError(
            f"{option} {text!r} is no range", hint=f"write for instance {option} {first}..{first + 1}; at most {first}..{last_max}"
        )
    return int(last)


def members_of(option: str, text: str) -> frozenset[int]:
    """Numbers between commas; `none` for none."""
    parts = [part.strip() for part in text.split(",")]
    if parts in (["none"], [""]):
        return frozenset()
    if not all(part.isascii() and part.isdigit() and len(part) < BITS_MAX for part in parts):
        raise UsageError(f"{option} {text!r} is no list of numbers", hint=f"write for instance {option} 0,1")
    return frozenset(map(int, parts))


def teller(output: Output, word: str = "level") -> Callable[[int, int, int], None]:
    """Progress, a line a level."""

    def tell(level: int, distinct: int, generated: int) -> None:
        output.progress(f"{word} {level}: {distinct} distinct states, {generated} generated")

    return tell
