"""`make mutants`: every mutant through every method; writes docs/mutants.json and the generated part of docs/mutants.md.

    python scripts/run_mutants.py [--method simulator ...] [--mutant M1 ...] [--page-only] [--chains 4]

With --method or --mutant only those numbers are made new, the others stay as they are in the file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials.campaign import METHODS, Numbers, numbers_from_json, run
from fiscotool.trials.page import by_place, is_killed, page_with
from fiscotool.trials.recorded import POLLS, TRACES

DOCS = Path(__file__).resolve().parent.parent / "docs"
NUMBERS = DOCS / "mutants.json"
PAGE = DOCS / "mutants.md"


def merged(old: Numbers, new: Numbers) -> Numbers:
    """The old numbers where there are no new ones. Several runs have no time in common."""
    verdicts = {**by_place(old), **by_place(new)}
    kept = [verdict for verdict in verdicts.values() if verdict.mutant in MUTANTS]
    return Numbers(kept, {**old.alarms, **new.alarms})


def main() -> int:
    """Run, write, and say how many were noticed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--method", action="append", choices=METHODS, default=None)
    options.add_argument("--mutant", action="append", default=None)
    options.add_argument("--page-only", action="store_true")
    options.add_argument("--chains", type=int, default=4)
    given = options.parse_args()
    old = numbers_from_json(json.loads(NUMBERS.read_text(encoding="utf-8"))) if NUMBERS.exists() else Numbers()
    numbers = old
    if not given.page_only:
        names, methods = given.mutant or list(MUTANTS), list(given.method or METHODS)
        if {TRACES, POLLS} & set(methods):
            methods += [TRACES, POLLS]
        new = run(names, methods, tell=lambda line: print(line, flush=True), chains=given.chains)
        numbers = merged(old, new) if given.mutant or given.method else new
        NUMBERS.write_text(json.dumps(numbers.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), numbers), encoding="utf-8")
    place = by_place(numbers)
    killed = [name for name in MUTANTS if is_killed(place, name)]
    print(f"{len(killed)} of {len(MUTANTS)} mutants were noticed; not: {', '.join(sorted(set(MUTANTS) - set(killed))) or 'none'}")
    safety = [name for name, mutant in MUTANTS.items() if mutant.kind.value == "safety" and name not in killed and not mutant.wire_switch]
    return 1 if safety else 0


if __name__ == "__main__":
    sys.exit(main())
