"""docs/mutants.md: mutants by methods, written from the numbers of a campaign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fiscotool.mutants.mutant import Kind, Mutant
from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials.campaign import METHODS, Numbers
from fiscotool.trials.reasons import ARGUED, UNSEEN, WIRE
from fiscotool.trials.verdict import Result, Verdict

BEGIN: Final = "<!-- generated: make mutants -->"
END: Final = "<!-- end -->"

BY_MAX: Final = 3


def by_place(numbers: Numbers) -> dict[tuple[str, str], Verdict]:
    """Verdicts by mutant and method."""
    return {(verdict.mutant, verdict.method): verdict for verdict in numbers.verdicts}


def is_killed(place: dict[tuple[str, str], Verdict], mutant: str, methods: Iterable[str] = METHODS) -> bool:
    """Whether one of the methods noticed."""
    found = (place.get((mutant, method)) for method in methods)
    return any(verdict is not None and verdict.result is Result.KILLED for verdict in found)


def generated(numbers: Numbers) -> str:
    """The generated part of the page."""
    place = by_place(numbers)
    parts = [_summary(place, numbers), _table(place), _survivors(place), _alarms(numbers), _unseen()]
    return "\n\n".join(parts)


def page_with(text: str, numbers: Numbers) -> str:
    """The page with its generated part written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{generated(numbers)}\n\n{END}{after}"


def _share(killed: int, of: int) -> str:
    return f"{killed} of {of} ({killed * 100 / of:.0f} %)" if of else "none"


def _summary(place: dict[tuple[str, str], Verdict], numbers: Numbers) -> str:
    rows = ["| | killed | " + " | ".join(METHODS) + " |", "|---|---|" + "---|" * len(METHODS)]
    groups: list[tuple[str, list[str]]] = [("all", list(MUTANTS))]
    groups += [(kind.value, [name for name, mutant in MUTANTS.items() if mutant.kind is kind]) for kind in Kind]
    dialects = dict.fromkeys(mutant.dialect for mutant in MUTANTS.values())
    groups += [(dialect, [name for name, mutant in MUTANTS.items() if mutant.dialect == dialect]) for dialect in dialects]
    for title, names in groups:
        cells = [_share(sum(is_killed(place, name) for name in names), len(names))]
        for method in METHODS:
            tried = [name for name in names if (name, method) in place and place[name, method].result is not Result.NOT_APPLICABLE]
            cells.append(_share(sum(is_killed(place, name, (method,)) for name in tried), len(tried)))
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    # Cells of several runs have no time in common; then there is none to tell.
    took = f"in one run of {numbers.seconds / 60:.0f} minutes" if numbers.seconds else "put together from several runs"
    return f"{len(MUTANTS)} mutants, {took}.\n\n" + "\n".join(rows)


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not run"
    if verdict.result is Result.KILLED:
        more = " …" if len(verdict.by) > BY_MAX else ""
        return "✔ " + ", ".join(verdict.by[:BY_MAX]) + more
    return "–" if verdict.result is Result.SURVIVED else "n/a"


def _table(place: dict[tuple[str, str], Verdict]) -> str:
    rows = ["| mutant | what is wrong | class | source | " + " | ".join(METHODS) + " |", "|---|---|---|---|" + "---|" * len(METHODS)]
    for name, mutant in MUTANTS.items():
        cells = [_cell(place.get((name, method))) for method in METHODS]
        needs = " (needs a liar)" if mutant.needs_byzantine else ""
        rows.append(f"| {name} | {mutant.title}{needs} | {mutant.kind.value} | {mutant.source} | " + " | ".join(cells) + " |")
    return "## Mutants by methods\n\n" + "\n".join(rows)


def _why(mutant: Mutant) -> str:
    if mutant.wire_switch:
        return WIRE
    return ARGUED.get(mutant.name, "not argued: to be looked into")


def _survivors(place: dict[tuple[str, str], Verdict]) -> str:
    left = [mutant for name, mutant in MUTANTS.items() if not is_killed(place, name)]
    rows = [f"- **{mutant.name}**, {mutant.title} ({mutant.kind.value}): {_why(mutant)}." for mutant in left]
    return "## What nothing noticed\n\n" + ("\n".join(rows) or "Every mutant was noticed by some method.")


def _alarms(numbers: Numbers) -> str:
    return "## What is said of chains without a mutant\n\n" + "\n".join(_alarm_lines(numbers))


def _alarm_lines(numbers: Numbers) -> Iterator[str]:
    for drill, found in sorted(numbers.alarms.items()):
        said = [f"{method}: {', '.join(alarms)}" for method, alarms in sorted(found.items()) if alarms]
        yield f"- {drill}: " + ("; ".join(said) + " (counted for no mutant under this drill)" if said else "nothing")


def _unseen() -> str:
    rows = [f"- {method}, {kind.value}: {why}." for method in METHODS for kind, why in UNSEEN[method].items()]
    return "## Why a method may miss a mutant\n\n" + "\n".join(rows)
