"""Is this directory one chain that can run? Everything a survey shows that is wrong, doubtful or ignored by the nodes, worst first.

    survey_directory(root) ──▶ lint(survey, now) ──▶ findings          pure: the survey has all that was on disk

Rule 1. Every finding names nodes, evidence and remedy; its id is one of `lint_words.WORDS` and stays.
Rule 2. What one check needs and a damaged file lacks is left out of that check: the damage has a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fiscotool.chain.findings import Finding, found, worst_first
from fiscotool.chain.lint_certificates import check_certificates
from fiscotool.chain.lint_identity import check_genesis, check_identities
from fiscotool.chain.lint_network import check_network
from fiscotool.chain.lint_settings import check_settings
from fiscotool.chain.lint_words import WORDS
from fiscotool.chain.survey import Survey, survey_directory

_CLOCK_TOLERANCE_S = 60.0
_READ_BY_OTHERS = 0o077
_HOUR_S = 3600.0


def lint_directory(root: Path, *, now: datetime | None = None) -> tuple[Finding, ...]:
    """What is wrong in the chain directory `root`, worst first. Raises ChainDirectoryError where there is none."""
    return lint(survey_directory(root), now=now or datetime.now(UTC))


def lint(survey: Survey, *, now: datetime) -> tuple[Finding, ...]:
    """What is wrong in the directory that was surveyed, worst first."""
    return worst_first(
        [
            *_check_files(survey, now),
            *check_identities(survey),
            *check_genesis(survey),
            *check_certificates(survey, now),
            *check_settings(survey),
            *check_network(survey),
        ]
    )


def _check_files(survey: Survey, now: datetime) -> Iterator[Finding]:
    for node in survey.nodes:
        for path, fact in node.damage.items():
            if fact:
                yield found(WORDS, "file-damaged", node.name, path=path, fact=fact)
            else:
                yield found(WORDS, "file-missing", node.name, path=path)
        for path, mode in node.modes.items():
            if mode & _READ_BY_OTHERS:
                yield found(WORDS, "key-readable", node.name, path=node.place / path, mode=f"{mode:o}")
        late = {path: seconds - now.timestamp() for path, seconds in node.written.items()}
        for path, ahead_s in sorted(late.items(), key=lambda item: -item[1])[:1]:
            if ahead_s > _CLOCK_TOLERANCE_S:
                yield found(WORDS, "clock-behind", node.name, path=path, ahead=_duration(ahead_s))
    for host in dict.fromkeys(node.host for node in survey.nodes):
        here = [node for node in survey.nodes if node.host == host]
        if not here[0].has_program:
            yield found(WORDS, "binary-missing", (node.name for node in here), path=here[0].place.parent / "fisco-bcos")
    national = [node.name for node in survey.nodes if node.sm_crypto]
    if national:
        yield found(WORDS, "national-cryptography", national)


def _duration(seconds: float) -> str:
    return f"{seconds / _HOUR_S:.1f} h" if seconds >= _HOUR_S else f"{seconds:.0f} s"
