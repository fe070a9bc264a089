"""What a campaign found, as numbers in a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials import exploring, simulator, watched
from fiscotool.trials.drill import Drill
from fiscotool.trials.drills import drill_for
from fiscotool.trials.recorded import LOGS, OF_CHAINS, POLLS, TRACES
from fiscotool.trials.verdict import Result, Verdict, verdict_from_json

METHODS: Final = (simulator.METHOD, exploring.METHOD, TRACES, LOGS, POLLS, watched.METHOD)
"""All ways of judging, in the order of the page."""


@dataclass(slots=True)
class Numbers:
    """What a campaign found. `alarms` are what was said of chains without a mutant, by drill and method; `spent_s` time by kind of job."""

    verdicts: list[Verdict] = field(default_factory=list)
    alarms: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    seconds: float = 0.0
    spent_s: dict[str, float] = field(default_factory=dict)

    def replace(self, verdict: Verdict) -> None:
        """In the place of what was known of this mutant by this method."""
        place = (verdict.mutant, verdict.method)
        self.verdicts = [*(known for known in self.verdicts if (known.mutant, known.method) != place), verdict]

    def as_json(self) -> dict[str, Any]:
        """For a file, in the order of the registry."""
        order = {name: place for place, name in enumerate(MUTANTS)}
        ordered = sorted(self.verdicts, key=lambda verdict: (order.get(verdict.mutant, -1), METHODS.index(verdict.method)))
        return {
            "seconds": round(self.seconds),
            "spent_s": {kind: round(spent) for kind, spent in sorted(self.spent_s.items())},
            "alarms": {drill: dict(sorted(found.items())) for drill, found in sorted(self.alarms.items())},
            "verdicts": [verdict.as_json() for verdict in ordered],
        }


def numbers_from_json(data: dict[str, Any]) -> Numbers:
    """The numbers of a file."""
    verdicts = [verdict_from_json(entry) for entry in data["verdicts"] if entry["method"] in METHODS]
    return Numbers(verdicts, data["alarms"], float(data["seconds"]), dict(data.get("spent_s", {})))


def clean_key(dialect: str, drill: Drill) -> str:
    """How the alarms of a drill are found."""
    return f"{dialect}: {drill.told()}"


def as_clean(drill: Drill) -> Drill:
    """The drill as a chain without a mutant has it."""
    return replace(drill, only=())


def judged(numbers: Numbers) -> Numbers:
    """The numbers with what clean chains are accused of, too, taken off."""
    verdicts = []
    for verdict in numbers.verdicts:
        mutant = MUTANTS.get(verdict.mutant)
        if mutant is not None and verdict.method in OF_CHAINS:
            found = numbers.alarms.get(clean_key(mutant.dialect, as_clean(drill_for(verdict.mutant))), {})
            verdicts.append(without_alarms(verdict, found.get(verdict.method, [])))
        elif mutant is not None:
            verdicts.append(verdict)
    return Numbers(verdicts, numbers.alarms, numbers.seconds, numbers.spent_s)


def without_alarms(verdict: Verdict, alarms: Iterable[str]) -> Verdict:
    """The verdict as far as a chain without the mutant did not get it, too."""
    said = set(alarms)
    kept = tuple(each for each in verdict.by if each not in said)
    if verdict.result is not Result.KILLED or kept == verdict.by:
        return verdict
    result = Result.KILLED if kept else Result.SURVIVED
    return Verdict(verdict.mutant, verdict.method, result, kept, verdict.evidence, verdict.seconds)
