"""How many log lines a second of CPU time: recorded logs of real chains, 3.x and 2.x, or any files given.

    python bench/log_parsing.py [FILE]...

Three figures a generation, each the best of five runs in CPU time (another process on the machine makes runs slower, never faster):
splitting the bytes into lines only; telling and counting every line without building an event; everything, with all values.
The target is 200,000 lines/s for everything.
"""

from __future__ import annotations

import lzma
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fiscotool.observer.logs.events import Kind
from fiscotool.observer.logs.parse import LogParser

ROUNDS = 5
TARGET_LINES_S = 200_000
ROOT = Path(__file__).resolve().parents[1]


def best_cpu_s(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began_s = time.process_time()
        work()
        best = min(best, time.process_time() - began_s)
    return best


def split(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def parse(data: bytes, skip: frozenset[Kind]) -> LogParser:
    parser = LogParser("node0", skip=skip)
    lines = split(data)
    for start in range(0, len(lines), 10_000):
        parser.parse(lines[start : start + 10_000])
    return parser


def measure(name: str, data: bytes) -> bool:
    counts = parse(data, frozenset()).counts
    count = counts.line_count
    rates = {
        "split": count / best_cpu_s(lambda: split(data)),
        "told and counted": count / best_cpu_s(lambda: parse(data, frozenset(Kind))),
        "everything": count / best_cpu_s(lambda: parse(data, frozenset())),
    }
    share = 100 * counts.event_count / count
    print(f"{name}: {count} lines, {len(data) / count:.0f} bytes each, {share:.0f} % events, {counts.unknown_count} unknown")
    for what, rate in rates.items():
        print(f"  {what:<17} {rate:>12,.0f} lines/s  {1e6 / rate:6.2f} µs a line")
    return rates["everything"] >= TARGET_LINES_S


def recorded(generation: str) -> bytes:
    """All recorded logs of one node."""
    folder = Path(os.environ.get("FISCOTOOL_SHARED", ROOT.parent / "shared")) / "recordings" / generation / "logs" / "node1"
    return b"".join(lzma.decompress(path.read_bytes()) for path in sorted(folder.glob("*.log.xz")))


def main(files: list[str]) -> int:
    is_enough = True
    if files:
        is_enough = measure("files", b"".join(Path(file).read_bytes() for file in files))
    else:
        for generation in ("v3", "v2"):
            data = recorded(generation)
            if not data:
                print(f"no recorded logs of {generation}: set FISCOTOOL_SHARED, or give log files")
                return 1
            is_enough &= measure(generation, data)
    print("target met" if is_enough else f"below {TARGET_LINES_S} lines/s")
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
