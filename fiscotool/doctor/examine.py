"""The whole examination: the directory is linted, the chain looked at, and both are put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fiscotool.chain.findings import Finding, worst_first
from fiscotool.chain.lint import lint
from fiscotool.chain.survey import survey_directory
from fiscotool.doctor.diagnosis import diagnose
from fiscotool.doctor.looking import APART_S, look
from fiscotool.doctor.situation import Situation

_CONCLUSIONS = (
    "all-stopped", "quorum-missing", "quorum-split", "forked", "restart-stuck", "view-changing", "starting", "pool-waits", "able",
)  # fmt: skip
"""Findings that answer why no blocks are made (or that they are), the weightiest first."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was seen and found, worst first. `conclusion` is the finding that answers why no blocks are made, where there is one."""

    situation: Situation
    findings: tuple[Finding, ...]

    @property
    def conclusion(self) -> Finding | None:
        """The answer."""
        by_id = {finding.id: finding for finding in reversed(self.findings)}
        return next((by_id[name] for name in _CONCLUSIONS if name in by_id), None)


def examine(root: Path, *, apart_s: float = APART_S) -> Examination:
    """Lint the directory, look at its nodes, conclude. Changes nothing. Raises ChainDirectoryError where there is no node directory."""
    from datetime import UTC, datetime

    survey = survey_directory(root)
    situation = look(survey, apart_s=apart_s)
    return Examination(situation, worst_first([*diagnose(situation), *lint(survey, now=datetime.now(UTC))]))
