"""Builds the compiled core into build/fast: the same package, its hot modules compiled by mypyc, its copies made in C.

Use it by putting build/fast before everything else: `PYTHONPATH=build/fast fiscotool simulate --seed 7`. Nothing of the source tree
changes, and nothing else needs it. Ends by comparing event logs with the pinned ones (tests/sim/hashes.txt), byte for byte.

Compiled functions call each other directly, so bugs cannot be planted there: `fiscotool.mutants` says so.
Run: python scripts/fast/build.py (needs a C compiler and Python's headers)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TARGET: Final = ROOT / "build/fast"

CORE: Final = (
    "admission checkpoint counting local_properties newview normal quorum recovery reproposal "
    "sealing shortcut state step timers viewchange voting"
)
WORLD: Final = "chain clock cluster network replica workplace"
BUILD_S: Final = 1_800
CHECK_S: Final = 300

SETUP: Final = """
from mypyc.build import mypycify
from setuptools import Extension, setup
compiled = mypycify(["--config-file", "/dev/null", "--follow-imports", "silent", *{modules!r}], opt_level="2", debug_level="0")
setup(name="fast", packages=[], ext_modules=[*compiled, Extension("fiscotool.pbft.copying", ["copying.c"])])
"""


def build() -> None:
    """Copy the sources, compile in the copy."""
    shutil.rmtree(TARGET, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "fiscotool", TARGET / "fiscotool", ignore=ignored)
    shutil.copy(ROOT / "scripts/fast/copying.c", TARGET / "copying.c")
    modules = [f"fiscotool/pbft/{name}.py" for name in CORE.split()] + [f"fiscotool/sim/{name}.py" for name in WORLD.split()]
    (TARGET / "setup.py").write_text(SETUP.format(modules=modules), encoding="utf-8")
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=TARGET, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if done.returncode:
        raise SystemExit(f"the compiled core cannot be built: {done.stdout[-2_000:]}{done.stderr[-2_000:]}")


def compare() -> int:
    """How many pinned event logs the compiled core writes, all of them right; ends the program where one is not."""
    pinned = [line for line in (ROOT / "tests/sim/hashes.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    dialects = list(dict.fromkeys(line.split()[0] for line in pinned))
    count = str(1 + max(int(line.split()[1]) for line in pinned))
    command = [sys.executable, "-m", "tests.sim.print_hashes", "0", count, *dialects]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TARGET), str(ROOT)])}
    done = subprocess.run(command, cwd=TARGET, env=environment, capture_output=True, text=True, timeout=CHECK_S, check=True)
    told = {line.rpartition(" ")[0]: line for line in done.stdout.splitlines()}
    wrong = [line for line in pinned if told[line.rpartition(" ")[0]] != line]
    if wrong:
        raise SystemExit(f"the compiled core writes other event logs: {wrong}")
    return len(pinned)


if __name__ == "__main__":
    build()
    sys.stdout.write(f"built {TARGET.relative_to(ROOT)}: {compare()} pinned event logs are the same\n")
