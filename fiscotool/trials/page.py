"""docs/mutants.md: mutants by methods, written from the numbers of a campaign."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from fiscotool.mutants.mutant import Kind, Mutant
from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials import exploring, simulator, watched
from fiscotool.trials.numbers import METHODS, Numbers, judged
from fiscotool.trials.reasons import ARGUED, UNREACHED, UNSEEN
from fiscotool.trials.recorded import LOGS, POLLS, TRACES
from fiscotool.trials.verdict import Result, Verdict

BEGIN: Final = "<!-- generated: make mutants -->"
END: Final = "<!-- end -->"

BY_MAX: Final = 3

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "simulator": (simulator.METHOD,),
    "explorer": (exploring.METHOD,),
    "traces": (TRACES,),
    "logs": (LOGS,),
    "polls": (POLLS, watched.METHOD),
}
"""Columns of the page, and the methods that fill them: polls are of embedded chains or of simulated ones."""

SIMULATED: Final = "(simulated)"

Place = dict[tuple[str, str], Verdict]

GOALS: Final = (("all, by any judge", 95, None, tuple(METHODS)), ("safety, by any judge", 100, Kind.SAFETY, tuple(METHODS)))
"""(what, percent, class or all, methods)."""

GOALS_BY_COLUMN: Final = (("all, by traces of embedded chains", 90, "traces"), ("all, by polls and headers alone", 60, "polls"))

MINUTES_GOAL: Final = 10.0
"""For simulator and explorer on two cores."""


def by_place(numbers: Numbers) -> Place:
    """Verdicts by mutant and method."""
    return {(verdict.mutant, verdict.method): verdict for verdict in numbers.verdicts}


def is_killed(place: Place, mutant: str, methods: Iterable[str] = METHODS) -> bool:
    """Whether one of the methods noticed."""
    found = (place.get((mutant, method)) for method in methods)
    return any(verdict is not None and verdict.result is Result.KILLED for verdict in found)


def generated(numbers: Numbers) -> str:
    """The generated part of the page."""
    place = by_place(judged(numbers))
    parts = [_goals(place, numbers), _summary(place), _table(place), _survivors(place), _unreached(place), _alarms(numbers), _unseen()]
    return "\n\n".join(parts)


def page_with(text: str, numbers: Numbers) -> str:
    """The page with its generated part written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{generated(numbers)}\n\n{END}{after}"


def goals_of(numbers: Numbers) -> list[tuple[str, int, int, int]]:
    """(what, percent asked for, killed, of how many)."""
    place = by_place(judged(numbers))
    found = []
    for what, percent, kind, methods in GOALS:
        names = [name for name, mutant in MUTANTS.items() if kind is None or mutant.kind is kind]
        found.append((what, percent, sum(is_killed(place, name, methods) for name in names), len(names)))
    for what, percent, column in GOALS_BY_COLUMN:
        found.append((what, percent, sum(is_killed(place, name, COLUMNS[column]) for name in MUTANTS), len(MUTANTS)))
    return found


def _share(killed: int, of: int) -> str:
    return f"{killed} of {of} ({killed * 100 // of} %)" if of else "none"


def _goals(place: Place, numbers: Numbers) -> str:
    assert place or not numbers.verdicts
    rows = ["| goal | asked for | reached |", "|---|---|---|"]
    rows += [f"| {what} | {percent} % | {_share(killed, of)} |" for what, percent, killed, of in goals_of(numbers)]
    judged_s = {name: sum(v.seconds for v in numbers.verdicts if v.method == name) for name in (simulator.METHOD, exploring.METHOD)}
    rows.append(
        f"| simulator and explorer | {MINUTES_GOAL:.0f} min on 2 cores | {sum(judged_s.values()) / 60 / 2:.1f} min "
        f"({judged_s[simulator.METHOD]:.0f} s and {judged_s[exploring.METHOD]:.0f} s of one core) |"
    )
    # Cells of several runs have no time in common; then there is none to tell.
    took = f"in one run of {numbers.seconds / 60:.0f} minutes" if numbers.seconds else "put together from several runs"
    return f"{len(MUTANTS)} mutants, {took}.\n\n" + "\n".join(rows)


def _summary(place: Place) -> str:
    rows = ["| | killed | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---|" * len(COLUMNS)]
    groups: list[tuple[str, list[str]]] = [("all", list(MUTANTS))]
    groups += [(kind.value, [name for name, mutant in MUTANTS.items() if mutant.kind is kind]) for kind in Kind]
    dialects = dict.fromkeys(mutant.dialect for mutant in MUTANTS.values())
    groups += [(dialect, [name for name, mutant in MUTANTS.items() if mutant.dialect == dialect]) for dialect in dialects]
    for title, names in groups:
        cells = [_share(sum(is_killed(place, name) for name in names), len(names))]
        cells += [_share(*_counts(place, names, methods)) for methods in COLUMNS.values()]
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _counts(place: Place, names: Collection[str], methods: tuple[str, ...]) -> tuple[int, int]:
    """(killed, tried): where no method of a column has a place for the mutant it is not counted."""
    tried = [
        name
        for name in names
        if any((name, method) in place and place[name, method].result is not Result.NOT_APPLICABLE for method in methods)
    ]
    return sum(is_killed(place, name, methods) for name in tried), len(tried)


def _cell(found: list[Verdict]) -> str:
    if not found:
        return "not run"
    killed = next((verdict for verdict in found if verdict.result is Result.KILLED), None)
    if killed is None:
        return "–" if any(verdict.result is Result.SURVIVED for verdict in found) else "n/a"
    more = " …" if len(killed.by) > BY_MAX else ""
    where = f" {SIMULATED}" if killed.method == watched.METHOD else ""
    return "✔ " + ", ".join(killed.by[:BY_MAX]) + more + where


def _table(place: Place) -> str:
    rows = ["| mutant | what is wrong | class | source | " + " | ".join(COLUMNS) + " |", "|---|---|---|---|" + "---|" * len(COLUMNS)]
    for name, mutant in MUTANTS.items():
        cells = [_cell([place[name, method] for method in methods if (name, method) in place]) for methods in COLUMNS.values()]
        needs = " (needs a liar)" if mutant.needs_byzantine else ""
        rows.append(f"| {name} | {mutant.title}{needs} | {mutant.kind.value} | {mutant.source} | " + " | ".join(cells) + " |")
    return "## Mutants by methods\n\n" + "\n".join(rows)


def _survivors(place: Place) -> str:
    rows = [_why(mutant, ARGUED) for name, mutant in MUTANTS.items() if not is_killed(place, name)]
    return "## What nothing noticed\n\n" + ("\n".join(rows) or "Every mutant was noticed by some method.")


def _unreached(place: Place) -> str:
    rows = [
        _why(mutant, UNREACHED)
        for name, mutant in MUTANTS.items()
        if (name, TRACES) in place and not is_killed(place, name, (TRACES,)) and is_killed(place, name)
    ]
    return "## What traces of embedded chains do not show\n\n" + ("\n".join(rows) or "They show every mutant that is noticed at all.")


def _why(mutant: Mutant, reasons: dict[str, str]) -> str:
    why = reasons.get(mutant.name, "in this run the drill did not lead where the mutant acts differently")
    return f"- **{mutant.name}**, {mutant.title} ({mutant.kind.value}): {why}."


def _alarms(numbers: Numbers) -> str:
    return "## What is said of chains without a mutant\n\n" + "\n".join(_alarm_lines(numbers))


def _alarm_lines(numbers: Numbers) -> Iterator[str]:
    """One line a dialect where nothing is said; a line each for what is."""
    calm: dict[str, int] = {}
    for drill, found in sorted(numbers.alarms.items()):
        said = [f"{method}: {', '.join(alarms)}" for method, alarms in sorted(found.items()) if alarms]
        if said:
            yield f"- {drill}: {'; '.join(said)} (counted for no mutant under this drill)"
        else:
            dialect = drill.partition(":")[0]
            calm[dialect] = calm.get(dialect, 0) + 1
    yield from (f"- {dialect}: nothing under {count} drills" for dialect, count in sorted(calm.items()))


def _unseen() -> str:
    rows = [f"- {column}, {kind.value}: {why}." for column in COLUMNS for kind, why in UNSEEN[column].items()]
    return "## Why a method may miss a mutant\n\n" + "\n".join(rows)
