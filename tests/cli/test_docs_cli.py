"""The command reference and the table of exit codes are what the code says."""

from __future__ import annotations

import runpy

from fiscotool.errors import ExitCode
from tests.support.shared import ROOT


def test_the_command_reference_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "generate_docs.py"))["page"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page, "run: make docs"


def test_every_exit_code_is_in_the_table() -> None:
    table = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert all(f"| {code.value} | " in table for code in ExitCode)
