"""The command reference and the table of exit codes are what the code says."""

from __future__ import annotations

import subprocess
import sys

from fiscotool.errors import ExitCode
from tests.support.shared import ROOT


def test_the_command_reference_is_up_to_date() -> None:
    # In a process of its own: click keeps the help option of a command as it was first asked for, by whatever test came before.
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}run: make docs"


def test_every_exit_code_is_in_the_table() -> None:
    table = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert all(f"| {code.value} | " in table for code in ExitCode)
