"""The report as one JSON document, for programs: the same content as the other formats, in both languages.

Rule 1. `findings` and `recoveries` have the members that `check --json` has; nothing is renamed between the two.
Rule 2. The document is valid JSON in the strict sense: no NaN, no infinity, keys are text.

Sources: docs/report.md describes every member.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from fiscotool.consistency.findings import Judgement, Verdict
from fiscotool.consistency.observations import Observations
from fiscotool.report.citations import citations_of
from fiscotool.report.content import content_of
from fiscotool.report.rows import Content
from fiscotool.report.story import lost_count
from fiscotool.report.thinning import thinned
from fiscotool.report.words import LANGS, Lang

SCHEMA: Final = "fiscotool-report/1"


def render_json(observations: Observations, judgement: Judgement) -> str:
    """The whole report as JSON text, indented, with a line end."""
    said = {lang: content_of(observations, judgement, lang) for lang in LANGS}
    return json.dumps(_plain(_document(observations, judgement, said)), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _document(observations: Observations, judgement: Judgement, said: Mapping[Lang, Content]) -> dict[str, Any]:
    content = said["en"]
    series = thinned(content.timeline)
    outcomes = [tx.outcome for tx in observations.txs]
    citations, left_out = citations_of(observations, judgement.findings)
    return {
        "schema": SCHEMA,
        "verdict": judgement.verdict,
        "headline": {lang: each.headline for lang, each in said.items()},
        "reasons": {lang: each.reasons for lang, each in said.items()},
        "counts": {verdict.value: sum(finding.verdict is verdict for finding in judgement.findings) for verdict in Verdict},
        "run": observations.run,
        "started_s": series.start_s,
        "ended_s": series.end_s,
        "story": {lang: each.story for lang, each in said.items()},
        "findings": judgement.findings,
        "recoveries": judgement.recoveries,
        "faults": observations.faults,
        "transactions": {
            "sent": len(outcomes),
            "committed": outcomes.count("committed"),
            "refused": outcomes.count("refused"),
            "unknown": outcomes.count("unknown"),
            "lost": lost_count(judgement),
        },
        "nodes": [
            {
                "name": node.node,
                "samples": node.sample_count,
                "unanswered": node.error_count,
                "last_height": node.heights[-1][1] if node.heights else None,
                "last_view": node.views[-1][1] if node.views else None,
            }
            for node in content.timeline.nodes
        ],
        "timeline": series,
        "problems": observations.problems,
        "citations": [{"line": each.line, "kind": each.kind, "record": each.record} for each in citations],
        "citations_left_out": left_out,
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)
