"""`make model`: every row of scripts/model_counts.toml, counted again and compared with what is pinned there.

    python scripts/run_model.py [--only TEXT] [--jobs 2] [--write]

A row is what follows `fiscotool model check`, with the exit code it must end with and the states generated, distinct and the depth it must
count. One that counts otherwise fails the run, with exit code 1. `--write` writes what was counted instead: read the diff.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ROOT / "scripts" / "model_counts.toml"
PINNED = ("generated", "distinct", "depth")
HEAD = """# Counts of `fiscotool model check`, compared by `make model`.
# `of` is where a number is from: `tlc` was published, `own` is our own.
"""


def count(row: dict[str, Any]) -> dict[str, Any]:
    """Counts a row: what the command told, and its exit code."""
    words = [sys.executable, "-m", "fiscotool", "model", "check", *shlex.split(row["check"]), "--json"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    try:
        told: dict[str, Any] = json.loads(ran.stdout)
    except json.JSONDecodeError:
        told = {"error": ran.stderr.strip() or "said nothing"}
    return {**told, "exit": ran.returncode}


def faults(row: dict[str, Any], told: dict[str, Any]) -> Iterator[str]:
    """What a row told otherwise than it should."""
    if "error" in told:
        yield told["error"]
    for name in ("exit", *PINNED):
        if name in row and row[name] != told.get(name):
            yield f"{name} {told.get(name)}, pinned {row[name]}"


def written(row: dict[str, Any], told: dict[str, Any]) -> str:
    """A row with what was counted."""
    lines = ["[[row]]", f"check = {json.dumps(row['check'])}", f"of = {json.dumps(row['of'])}", f"exit = {told['exit']}"]
    return "\n".join([*lines, *(f"{name} = {told[name]}" for name in PINNED if name in told)]) + "\n"


def main() -> int:
    """Count, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="rows that have this text")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="rows at a time")
    parser.add_argument("--write", action="store_true", help="pin what is counted")
    arguments = parser.parse_args()
    rows = tomllib.loads(COUNTS.read_text(encoding="utf-8"))["row"]
    chosen = [row for row in rows if arguments.only in row["check"]]
    if not chosen:
        parser.error(f"no row has {arguments.only!r}")
    width = max(len(row["check"]) for row in chosen)
    print(f"{'model check':{width}}  {'generated':>11} {'distinct':>10} {'depth':>5} {'CPU s':>7} {'MiB':>5}")
    failed, told = 0, dict[str, dict[str, Any]]()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for row, found in zip(chosen, pool.map(count, chosen), strict=True):
            told[row["check"]] = found
            wrong = [] if arguments.write else list(faults(row, found))
            failed += bool(wrong)
            counts = "{:>11,} {:>10,} {:>5} {:>7.1f} {:>5}".format(*(found.get(name, 0) for name in (*PINNED, "cpu_s", "peak_mib")))
            print(f"{row['check']:{width}}  {counts}  {'; '.join(wrong) or row['of']}", flush=True)
    if arguments.write:
        texts = [written(row, told.get(row["check"], row)) for row in rows]
        COUNTS.write_text(HEAD + "\n" + "\n".join(texts), encoding="utf-8")
    print(f"{failed} of {len(chosen)} rows counted otherwise than pinned" if failed else f"{len(chosen)} rows counted as pinned")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
