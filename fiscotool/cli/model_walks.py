"""What the walks behind `model check` share: what a walk comes to, ranges and lists as options, progress and limits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fiscotool.cli.model_memory import SHARE, free_mib, resident_mib, within_memory
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


_memory_mib: list[int] = []


def set_memory_limit(asked_mib: int | None) -> int:
    """How much memory the walks of this command may use, MiB: what was asked for, else most of what is free; 0 for no limit known."""
    limit_mib = asked_mib if asked_mib is not None else int(free_mib() * SHARE)
    _memory_mib[:] = [resident_mib() + limit_mib if asked_mib is None and limit_mib else limit_mib]
    return _memory_mib[0]


def pause_of() -> Callable[[], None]:
    """The pause of these walks: it ends them at the limit of memory."""
    return within_memory(_memory_mib[0] if _memory_mib else 0)


def teller(output: Output, word: str = "level") -> Callable[[int, int, int], None]:
    """Progress, a line a level with the rate of the last one; and there, too, the limit of memory ends a walk."""
    began_s, before = [time.process_time()], [0]
    pause = pause_of()

    def tell(level: int, distinct: int, generated: int) -> None:
        now_s = time.process_time()
        rate = (distinct - before[0]) / max(now_s - began_s[0], 1e-6)
        began_s[0], before[0] = now_s, distinct
        output.progress(f"{word} {level}: {distinct:,} distinct states, {generated:,} generated, {rate:,.0f} distinct a second of CPU")
        pause()

    return tell
