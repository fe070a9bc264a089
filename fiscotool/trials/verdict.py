"""What a trial says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Result(Enum):
    """The outcome of a trial."""

    KILLED = "killed"
    """It was noticed."""
    SURVIVED = "survived"
    """Everything that was tried looked right."""
    NOT_APPLICABLE = "not applicable"
    """This method has no place where the mutant could be; `by` says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One mutant, one method.

    `by` has the properties, guards or invariants that complained; `evidence` says how to see it again. `seconds` is CPU time of this
    process where the method runs in it, and time on the clock for processes of others.
    """

    mutant: str
    method: str
    result: Result
    by: tuple[str, ...] = ()
    evidence: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {**asdict(self), "result": self.result.value, "by": list(self.by), "seconds": round(self.seconds, 2)}


def verdict_from_json(entry: dict[str, Any]) -> Verdict:
    """The verdict of a file."""
    return Verdict(
        entry["mutant"], entry["method"], Result(entry["result"]), tuple(entry["by"]), entry["evidence"], float(entry["seconds"])
    )
