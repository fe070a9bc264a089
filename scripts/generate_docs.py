"""Writes the generated parts of docs/: the command reference and the table of exit codes, from the code itself.

python scripts/generate_docs.py            writes docs/cli.md
python scripts/generate_docs.py --check    says what is out of date and ends with 1 (tests/cli/test_docs_cli.py does the same)
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fiscotool.cli.main import cli
from fiscotool.cli.registry import COMMANDS
from fiscotool.errors import ExitCode

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

MEANINGS = {
    ExitCode.OK: "it worked; for `check`, `report` and `drill run`: every invariant that had to be decided holds",
    ExitCode.VIOLATED: "a check was violated: the report names node, height and evidence",
    ExitCode.USAGE: "the command line, or a file you wrote, is wrong; nothing was done",
    ExitCode.ENVIRONMENT: "this machine cannot do it: port taken, no binary, foreign or damaged directory, disk full",
    ExitCode.RPC: "a node refused a call, or did not answer it as it must",
    ExitCode.INCONCLUSIVE: "the evidence does not suffice for a verdict",
    ExitCode.TIMED_OUT: "a condition did not come true in time",
    ExitCode.BUG: "a bug of fiscotool; the full trace is in the file named",
    ExitCode.INTERRUPTED: "you interrupted it; what it broke is healed",
}


def exit_code_table() -> str:
    """The table of exit codes."""
    return "\n".join(["| code | meaning |", "|---|---|", *(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())])


def help_of(command: click.Command, name: str) -> str:
    """What `fiscotool NAME --help` prints."""
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    return command.get_help(context)


def sections(command: click.Command, name: str) -> list[str]:
    """A section for the command and, for a group, one for each command in it."""
    lines = [f"## {name}", "", "```text", help_of(command, name), "```", ""]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                lines += sections(found, f"{name} {child}")
    return lines


def page() -> str:
    """The whole of docs/cli.md."""
    lines = [
        "# Commands",
        "",
        "Generated from the code by `make docs`. stdout is data, stderr is talk; `--json` wherever there is data.",
        "",
        "## Exit codes",
        "",
        exit_code_table(),
        "",
    ]
    context = click.Context(cli, info_name="fiscotool")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += sections(command, f"fiscotool {name}")
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    if "--check" in arguments:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
