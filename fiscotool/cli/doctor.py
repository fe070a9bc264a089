"""`lint` and `doctor`: what is wrong with a chain's directory, and why a chain makes no blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiscotool.cli.options import dir_option, json_option
from fiscotool.cli.output import Output
from fiscotool.errors import ExitCode

if TYPE_CHECKING:
    from fiscotool.chain.findings import Finding, Language

_WORDS = {
    "en": {
        "error": "error",
        "warning": "warning",
        "note": "note",
        "remedy": "do",
        "none": "nothing is wrong with {root}",
        "answer": "in short",
    },
    "zh": {"error": "错误", "warning": "警告", "note": "提示", "remedy": "处理", "none": "{root} 没有发现问题", "answer": "结论"},
}  # fmt: skip

lang_option = click.option(
    "--lang", "language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the findings."
)


@click.command()
@click.argument("place", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@dir_option
@lang_option
@json_option
def lint(place: Path | None, directory: Path, language: Language, output: Output) -> int:
    """Look for mistakes in a chain's directory: identities, ports, genesis, certificates, settings.

    Reads files only, of any chain, 3.x or 2.x, made by fiscotool or build_chain.sh, running or not. Ends with 1 where it finds an
    error; warnings and notes do not count.

    \b
    Example: fiscotool lint
             fiscotool lint /data/nodes --json
    """
    from fiscotool.chain.lint import lint_directory

    root = place or directory
    findings = lint_directory(root)
    output.show(
        {"root": root, "findings": [finding.as_data(language) for finding in findings]},
        lambda: as_text(findings, language) or _WORDS[language]["none"].format(root=root),
    )
    return exit_code(findings)


@click.command()
@click.argument("place", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@dir_option
@lang_option
@json_option
def doctor(place: Path | None, directory: Path, language: Language, output: Output) -> int:
    """Say why a chain makes no blocks: everything lint sees, and what the nodes do now.

    Looks at processes, asks every node twice, reads last words and logs; changes nothing. Every finding has its evidence and a
    remedy. Ends with 1 where it finds an error. The ids are explained in docs/doctor.md.

    \b
    Example: fiscotool doctor
             fiscotool doctor /data/nodes --lang zh
    """
    from fiscotool.doctor.examine import examine

    root = place or directory
    examination = examine(root)
    conclusion = examination.conclusion
    data = {
        "root": root,
        "conclusion": conclusion.as_data(language) if conclusion else None,
        "findings": [finding.as_data(language) for finding in examination.findings],
    }
    output.show(data, lambda: _report(examination.findings, conclusion, language))
    return exit_code(examination.findings)


def _report(findings: Sequence[Finding], conclusion: Finding | None, language: Language) -> str:
    """The answer first, then everything else."""
    others = [finding for finding in findings if finding is not conclusion]
    if conclusion is None:
        return as_text(others, language)
    head = f"{_WORDS[language]['answer']}: {conclusion.fact(language)}\n    {_WORDS[language]['remedy']}: {conclusion.remedy(language)}"
    return f"{head}\n\n{as_text(others, language)}" if others else head


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where there is an error."""
    return ExitCode.VIOLATED if any(finding.severity.name == "ERROR" for finding in findings) else ExitCode.OK


def as_text(findings: Sequence[Finding], language: Language) -> str:
    """Findings for people: severity and id, the fact, the remedy."""
    words = _WORDS[language]
    return "\n".join(
        f"{words[finding.severity.name.lower()]} [{finding.id}] {finding.fact(language)}\n    {words['remedy']}: {finding.remedy(language)}"
        for finding in findings
    )
