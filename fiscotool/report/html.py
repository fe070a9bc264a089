"""The report as one self-contained HTML file: opens offline, prints, follows light and dark, works without scripts.

Rule 1. Nothing is loaded from anywhere. The file says so to the browser too: its content security policy allows only the style sheet and
        the script it carries, named by their hashes, so that markup smuggled in by a node could not run even if escaping failed.
Rule 2. Templates are autoescaped, and no text from a recording is ever marked as safe.
Rule 3. Size is bounded: series are thinned (thinning.py), evidence and citations are capped, long problem lists are cut in the drawing.

Sources: Content Security Policy Level 3, 6.7.2 (hashes of inline elements); WAI-ARIA 1.2 (img role and names of charts); docs/report.md.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Final

import jinja2
from markupsafe import Markup

from fiscotool.consistency.findings import Judgement
from fiscotool.consistency.observations import Observations
from fiscotool.report.chart import chart_of
from fiscotool.report.content import content_of
from fiscotool.report.words import Speech

_STYLE: Final = "report.css"
_SCRIPT: Final = "report.js"


def render_html(observations: Observations, judgement: Judgement, *, lang: str = "en") -> str:
    """The whole report as one HTML document. Raises UsageError for a language there is not."""
    say = Speech(lang)
    content = content_of(observations, judgement, lang)
    style, script = template_text(_STYLE), template_text(_SCRIPT)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            say=say,
            content=content,
            run=observations.run,
            chart=chart_of(say, content.timeline),
            cited={citation.line for citation in content.citations},
            # These two are ours, shipped with the package: nothing of a recording is in them.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            style_hash=_csp_hash(style),
            script_hash=_csp_hash(script),
        )
    )


def template_text(name: str) -> str:
    """One file of the package's templates."""
    return (resources.files("fiscotool.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(template_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
