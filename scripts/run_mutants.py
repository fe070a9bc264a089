"""`make mutants`: every mutant through every method; writes docs/mutants.json and the generated part of docs/mutants.md.

    python scripts/run_mutants.py [--method simulator ...] [--mutant M1 ...] [--chains 5] [--workers 2] [--fresh] [--page-only]

What is learnt is kept in build/mutants-run.json after each job. A run that was interrupted goes on where it was, as long as the code is the
same (--fresh: from the beginning). With --method or --mutant only those numbers are made new, the others stay as they are in docs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials.campaign import Campaign, jobs_of
from fiscotool.trials.numbers import METHODS, Numbers, numbers_from_json
from fiscotool.trials.page import by_place, goals_of, is_killed, page_with
from fiscotool.trials.recorded import OF_CHAINS

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ROOT / "docs" / "mutants.json"
PAGE = ROOT / "docs" / "mutants.md"
KEPT = ROOT / "build" / "mutants-run.json"


def fingerprint() -> str:
    """Of all code a run depends on: numbers of other code are not gone on with."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "fiscotool").rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def kept_numbers(code: str, *, fresh: bool) -> Numbers:
    """What an interrupted run of the same code has learnt."""
    if fresh or not KEPT.exists():
        return Numbers()
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    return numbers_from_json(kept["numbers"]) if kept["code"] == code else Numbers()


def keep(numbers: Numbers, code: str, place: Path = KEPT) -> None:
    """Write it down so that an interruption at any moment leaves a whole file."""
    place.parent.mkdir(exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(json.dumps({"code": code, "numbers": numbers.as_json()}, ensure_ascii=False), encoding="utf-8")
    new.replace(place)


def merged(old: Numbers, new: Numbers) -> Numbers:
    """The old numbers where there are no new ones; a clean chain that was ever accused stays so. Several runs have no time in common."""
    verdicts = {**by_place(old), **by_place(new)}
    kept = [verdict for verdict in verdicts.values() if verdict.mutant in MUTANTS]
    alarms = {
        drill: {
            method: list(dict.fromkeys([*old.alarms.get(drill, {}).get(method, []), *new.alarms.get(drill, {}).get(method, [])]))
            for method in OF_CHAINS
        }
        for drill in {**old.alarms, **new.alarms}
    }
    return Numbers(kept, alarms)


def main() -> int:
    """Run, write, and say how many were noticed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--method", action="append", choices=METHODS, default=None)
    options.add_argument("--mutant", action="append", choices=list(MUTANTS), default=None, metavar="NAME")
    options.add_argument("--page-only", action="store_true", help="write the page from docs/mutants.json, run nothing")
    options.add_argument("--fresh", action="store_true", help="do not go on with an interrupted run")
    options.add_argument("--chains", type=int, default=5, help="embedded chains at a time")
    options.add_argument("--workers", type=int, default=2, help="processes for simulator, explorer and polls of simulated chains")
    given = options.parse_args()
    numbers = numbers_from_json(json.loads(NUMBERS.read_text(encoding="utf-8"))) if NUMBERS.exists() else Numbers()
    if not given.page_only:
        is_part = bool(given.mutant or given.method)
        names, methods = given.mutant or list(MUTANTS), set(given.method or METHODS)
        if methods & set(OF_CHAINS):
            methods |= set(OF_CHAINS)
        code = fingerprint()
        known = Numbers() if is_part else kept_numbers(code, fresh=given.fresh)
        place = KEPT.with_name("mutants-part.json") if is_part else KEPT
        campaign = Campaign(known, tell=lambda line: print(line, flush=True), keep=lambda found: keep(found, code, place))
        new = campaign.run(jobs_of(names, methods, known), workers=given.workers, chains=given.chains)
        numbers = merged(numbers, new) if is_part else new
        NUMBERS.write_text(json.dumps(numbers.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), numbers), encoding="utf-8")
    return report(numbers)


def report(numbers: Numbers) -> int:
    """The goals as lines; 1 when a safety mutant was not noticed."""
    place = by_place(numbers)
    killed = [name for name in MUTANTS if is_killed(place, name)]
    print(f"{len(killed)} of {len(MUTANTS)} mutants were noticed; not: {', '.join(sorted(set(MUTANTS) - set(killed))) or 'none'}")
    for what, percent, count, of in goals_of(numbers):
        print(f"{'reached' if count * 100 >= percent * of else 'MISSED ':8} {what}: {count} of {of}, {percent} % asked for")
    return 1 if any(mutant.kind.value == "safety" and name not in killed for name, mutant in MUTANTS.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
