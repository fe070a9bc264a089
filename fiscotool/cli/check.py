"""`check` and `report`: judge a recording, and put the judgement on paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import EnvironmentFailure, ExitCode, UsageError

if TYPE_CHECKING:
    from fiscotool.consistency.findings import Judgement
    from fiscotool.consistency.observations import Observations

MARKS = {"holds": "✔", "violated": "✘", "inconclusive": "?"}
EXITS = {"holds": ExitCode.OK, "violated": ExitCode.VIOLATED, "inconclusive": ExitCode.INCONCLUSIVE}

recording_argument = click.argument("recording", type=click.Path(path_type=Path, dir_okay=False))
lang_option = click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the text.")


def judged(recording: Path) -> tuple[Observations, Judgement]:
    """The recording and what it shows. Raises UsageError when there is no such recording or nothing in it."""
    from fiscotool.consistency.judge import judge
    from fiscotool.observer.any_recording import load_any_recording

    if not recording.is_file():
        raise UsageError(
            f"{recording}: there is no such recording", hint="make one: fiscotool observe --out run.jsonl, or fiscotool drill run …"
        )
    observations = load_any_recording(recording)
    return observations, judge(observations)


@click.command()
@click.argument("recording", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--logs",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Logs, a directory of them, or a trace (.jsonl) instead; may repeat.",
)
@click.option(
    "--traces",
    "traces",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Full traces of embedded nodes instead (deploy --trace): a chain, a node, or files; may repeat.",
)
@click.option(
    "--mode",
    type=click.Choice(["fisco", "textbook"]),
    default="fisco",
    show_default=True,
    help="What --logs are judged by; FISCO or the paper.",
)
@click.option("--weights", metavar="W,W,…", default=None, help="Voting weights by index; when not given, what the votes in the logs add.")
@click.option("--faulty", metavar="NODE", multiple=True, help="A node whose log or trace is not judged, as it may do anything; may repeat.")
@click.option("--explain", "is_explained", is_flag=True, help="With --logs: the smallest evidence, and what the nodes behave like.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), default=None, help="With --explain: draw the evidence into this file."
)
@lang_option
@json_option
def check(
    recording: Path | None,
    logs: tuple[Path, ...],
    traces: tuple[Path, ...],
    mode: str,
    weights: str | None,
    faulty: tuple[str, ...],
    is_explained: bool,
    svg: Path | None,
    lang: str,
    output: Output,
) -> int:
    """Judge a recording, what nodes' logs tell, or their full traces: does it show what PBFT allows?

    A recording is judged by its polls and headers, and by the log lines in it, or by the --logs given beside it.

    Exit code 0: every invariant that had to be decided holds, the logs are a run of the protocol; 1: something is violated; 5: the
    evidence does not suffice.

    \b
    Example: fiscotool check run.jsonl
             fiscotool check run.jsonl --lang zh
             fiscotool check run.jsonl --logs nodes
             fiscotool check --logs nodes/127.0.0.1
             fiscotool check --logs node0/log --logs node1/log --mode textbook --json
             fiscotool check --logs run.jsonl --explain --svg why.svg
             fiscotool check --traces nodes
    """
    if traces:
        if recording is not None or logs:
            raise UsageError("--traces are judged alone", hint="leave the recording, or --logs, out")
        from fiscotool.cli.replays import check_traces

        return check_traces(traces, faulty, output)
    if not logs and (is_explained or svg is not None):
        raise UsageError("--explain and --svg are about --logs", hint="a recording's evidence is in its report: fiscotool report RECORDING")
    if svg is not None and not is_explained:
        raise UsageError("--svg draws what --explain finds", hint="add --explain")
    about_logs = (mode, weights, faulty)
    if recording is None:
        if not logs:
            raise UsageError("nothing to judge was named", hint="name a recording, or --logs with the nodes' logs")
        from fiscotool.cli.check_logs import check_logs

        return check_logs(logs, *about_logs, (lang, svg) if is_explained else None, output)
    from fiscotool.cli.check_logs import logs_beside

    observations, judgement = judged(recording)
    beside = logs_beside(observations, logs, *about_logs, (lang, svg) if is_explained else None)
    verdict = "violated" if beside.is_violated else judgement.verdict.value
    parts = {"polls": {"verdict": judgement.verdict.value}, "logs": beside.data}
    data = {**judgement_data(observations, judgement), "verdict": verdict, "parts": parts}
    head = "✘ violated, by what the logs tell (below); the polls alone say:\n" if beside.is_violated else ""
    output.show(data, lambda: f"{head}{judgement_text(observations, judgement, lang=lang)}\n\n{beside.text}")
    if not output.as_json:
        for problem in observations.problems[:5]:
            output.say(f"note: {problem}")
        output.say(f"next: fiscotool report {recording}")
    return EXITS[verdict]


def judgement_data(observations: Observations, judgement: Judgement) -> dict[str, object]:
    """The judgement as plain data, its verdict first."""
    return {
        "verdict": judgement.verdict.value,
        "byzantine": {node.name: node.byzantine for node in observations.run.nodes if node.byzantine},
        "findings": judgement.findings,
        "recoveries": judgement.recoveries,
        "deviations": judgement.deviations,
    }


def _byzantine_lines(observations: Observations, *, chinese: bool) -> list[str]:
    """Who was deployed to misbehave, and whether the others must be able to bear it."""
    from fiscotool.consistency.judge import excluded_witnesses

    names = ", ".join(f"{node.name} ({node.byzantine})" for node in observations.run.nodes if node.byzantine)
    if not names:
        return []
    if excluded_witnesses(observations):
        return [f"拜占庭节点：{names}；权重不超过 f，以其余节点为准" if chinese else f"Byzantine: {names}; within f, the others are judged"]
    return [f"拜占庭节点：{names}；权重超过 f，无法保证安全" if chinese else f"Byzantine: {names}; more than f, nothing is promised"]


def judgement_text(observations: Observations, judgement: Judgement, *, lang: str) -> str:
    """Verdict, invariants, recoveries: one screen."""
    chinese = lang == "zh"
    words = {"holds": "成立", "violated": "被违反", "inconclusive": "无法判定"}
    verdict = judgement.verdict.value
    lines = [f"{MARKS[verdict]} {words[verdict] if chinese else verdict}", *_byzantine_lines(observations, chinese=chinese), ""]
    rows = []
    for finding in judgement.findings:
        title = finding.invariant.title_zh if chinese else finding.invariant.title
        rows.append(
            (
                MARKS[finding.verdict.value],
                finding.invariant.id,
                title,
                finding.checked_count,
                finding.summary_zh if chinese else finding.summary,
            )
        )
    lines.append(table(("", "id", "不变量" if chinese else "invariant", "n", "结论" if chinese else "what was found"), rows))
    if any(finding.verdict.value == "inconclusive" for finding in judgement.findings):
        lines.append("? 本次运行中没有可据以判定的事件" if chinese else "? nothing happened in this run that could decide it")
    tails = (_violation_lines, _deviation_lines, _recovery_lines)
    return "\n".join([*lines, *(line for tail in tails for line in tail(judgement, chinese=chinese))])


def brief_text(observations: Observations, judgement: Judgement) -> str:
    """Verdict, how many invariants came out how, what was violated, recoveries: a few lines."""
    verdict = judgement.verdict.value
    counts = {each: sum(finding.verdict.value == each for finding in judgement.findings) for each in MARKS}
    return "\n".join(
        [
            (
                f"{MARKS[verdict]} {verdict}: {counts['holds']} invariants hold, {counts['violated']} violated, "
                f"{counts['inconclusive']} not decided by this run"
            ),
            *_byzantine_lines(observations, chinese=False),
            *_violation_lines(judgement, chinese=False),
            *_recovery_lines(judgement, chinese=False),
        ]
    )


def _violation_lines(judgement: Judgement, *, chinese: bool) -> list[str]:
    lines: list[str] = []
    for finding in judgement.findings:
        if finding.verdict.value == "violated":
            lines += ["", f"✘ {finding.invariant.id}"]
            lines += [f"    {(item.text_zh if chinese else '') or item.text}" for item in finding.evidence[:5]]
    return lines


def _deviation_lines(judgement: Judgement, *, chinese: bool) -> list[str]:
    """Where FISCO differs from the paper, as often as this run shows it."""
    differing = [each for each in judgement.deviations if each.count]
    head = "与教科书 PBFT 的差异（FISCO 如此，不算违反）" if chinese else "not text-book PBFT, and right for FISCO BCOS:"
    rows = [f"    {each.count}/{each.checked_count}  {each.text_zh if chinese else each.text}" for each in differing]
    return ["", head, *rows] if rows else []


def _recovery_lines(judgement: Judgement, *, chinese: bool) -> list[str]:
    return ["", recovery_table(judgement, chinese=chinese)] if judgement.recoveries else []


def recovery_table(judgement: Judgement, *, chinese: bool) -> str:
    """One row a fault: what it cost."""
    headers = (
        ("故障", "节点", "角色", "RTO", "±", "界限", "节点恢复", "RPO")
        if chinese
        else ("fault", "node", "role", "RTO", "±", "bound", "node back", "RPO")
    )

    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.2f} s"

    rows = [
        (
            each.kind,
            each.node,
            each.role,
            seconds(each.rto_s),
            seconds(each.error_s),
            seconds(each.bound_s),
            seconds(each.node_rto_s),
            each.rpo_txs,
        )
        for each in judgement.recoveries
    ]
    return table(headers, rows)


@click.command()
@recording_argument
@click.option(
    "--out", "into", default=None, type=click.Path(path_type=Path, file_okay=False), help="Directory; default: report beside the recording."
)
@lang_option
@json_option
def report(recording: Path, into: Path | None, lang: str, output: Output) -> int:
    """Write the consistency report of a recording.

    report.html (one file, opens offline), report.md, report.json, junit.xml. Exit codes as for `check`.

    \b
    Example: fiscotool report run.jsonl --out run-report
             fiscotool report run.jsonl --lang zh
    """
    observations, judgement = judged(recording)
    folder = into if into is not None else recording.parent / "report"
    paths = write_report(observations, judgement, folder, lang=lang)
    verdict = judgement.verdict.value
    output.show({"verdict": verdict, "files": paths}, lambda: "\n".join([f"{MARKS[verdict]} {verdict}", *map(str, paths)]))
    return EXITS[verdict]


def write_report(observations: Observations, judgement: Judgement, folder: Path, *, lang: str) -> list[Path]:
    """All four files. Raises EnvironmentFailure when they cannot be written."""
    from fiscotool.report.html import render_html
    from fiscotool.report.json import render_json
    from fiscotool.report.junit import render_junit
    from fiscotool.report.markdown import render_markdown

    texts = {
        "report.html": render_html(observations, judgement, lang=lang),
        "report.md": render_markdown(observations, judgement, lang=lang),
        "report.json": render_json(observations, judgement),
        "junit.xml": render_junit(observations, judgement),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailure(
            f"{folder}: the report cannot be written: {error.strerror}", hint="give another directory with --out"
        ) from error
    return [folder / name for name in texts]
