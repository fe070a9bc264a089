"""`model explain`: a run in words of two languages and in pictures, and both languages tell the same facts."""

from __future__ import annotations

import json
import re
import string
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from fiscotool.cli.main import cli
from fiscotool.errors import UsageError
from fiscotool.sim.run import simulate
from fiscotool.sim.schedule import parse_action
from fiscotool.sim.settings import Settings, draw_settings
from fiscotool.sim.story_charts import mermaid, space_time
from fiscotool.sim.story_run import tell_run
from fiscotool.sim.story_words import CHAPTERS, FACTS, heading, in_order, sentence, text_of
from fiscotool.sim.tracing import Tracer

CALM = Settings(seed=1, ticks=12_000, crashes=False, partitions=False, delay_ticks_max=2)


def names_in(template: str) -> list[str]:
    """The values a template names."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name)


@pytest.mark.parametrize("kind", sorted({**CHAPTERS, **FACTS}))
def test_both_languages_name_the_same_values(kind: str) -> None:
    english, chinese = {**CHAPTERS, **FACTS}[kind]
    assert names_in(english) == names_in(chinese)
    assert re.search("[\u4e00-\u9fff]", chinese)
    assert not re.search("[\u4e00-\u9fff]", english)


@pytest.mark.parametrize("dialect", ["fisco3", "fisco2", "classic"])
def test_both_languages_tell_the_same_facts_of_a_run(dialect: str) -> None:
    told = tell_run(draw_settings(7, dialect=dialect, ticks=8_000), fold=False)
    assert told.outcome == simulate(draw_settings(7, dialect=dialect, ticks=8_000)), "listening changed the run"
    for chapter in told.chapters:
        pairs = [(heading(chapter, "en"), heading(chapter, "zh"))]
        pairs += [(sentence(fact, "en"), sentence(fact, "zh")) for fact in in_order(chapter.facts)]
        for english, chinese in pairs:
            words = [set(re.findall(r"node\d+|[0-9a-f]{8}", text)) for text in (english, chinese)]
            assert words[0] == words[1]
            assert " -" not in english, "a value is missing"


def test_a_height_is_told_with_its_proposer_and_its_quorums() -> None:
    text = text_of(tell_run(CALM, (parse_action("9000 submit 2"),), fold=False).chapters, "en")
    assert re.search(r"node\d proposes block [0-9a-f]{8} for height 1 in view \d", text)
    assert re.search(r"is prepared: node\d, node\d, node\d weigh 3 of 4, quorum 3", text)
    assert re.search(r"is agreed on: commits of node\d, node\d, node\d weigh 3 of 4, quorum 3", text)
    assert re.search(r"result [0-9a-f]{8} is stable: checkpoints of node\d, node\d, node\d weigh 3 of 4", text)


def test_a_view_change_is_told_with_its_reason_and_what_was_proposed_again() -> None:
    """The primary is killed when its block has been prepared by some; the next one must propose it again."""
    schedule = tuple(parse_action(line) for line in ("500 submit 1", "553 crash 0 0", "600 submit 3"))
    settings = Settings(seed=1, dialect="classic", ticks=30_000, partitions=False, delay_ticks_max=2, execute_ticks=40, dead=(0,))
    text = text_of(tell_run(settings, schedule).chapters, "en")
    assert "node0 stops, its durable records stay" in text
    assert re.search(r"reason: node0, who leads height 2 in view 0, is down", text)
    assert re.search(r"node1 shows view changes of node1, node2, node3, weight 3 of 4, quorum 3, and announces view 1", text)
    assert re.search(r"node1 proposes block [0-9a-f]{8} again, for height 1 in view 1", text)
    assert "must write 2 more blocks than anyone has" in text
    assert "node1, node2, node3 did: heights" in text


def test_a_leader_that_is_gone_is_told_without_a_timer() -> None:
    schedule = tuple(parse_action(line) for line in ("9000 submit 1", "9500 crash 2 0", "10000 submit 9", "11000 submit 9"))
    settings = Settings(seed=1, ticks=20_000, partitions=False, delay_ticks_max=2, dead=(2,))
    text = text_of(tell_run(settings, schedule).chapters, "en")
    assert re.search(r"find the next leader of view \d gone or far behind, and wait for no timer", text)


def test_where_it_went_wrong_is_told_at_its_place() -> None:
    bad = simulate(draw_settings(90, quirks=("amnesia",), ticks=30_000))
    assert bad.violations, "choose a seed that shows amnesia"
    told = tell_run(bad.settings, bad.schedule)
    wrong = [fact for chapter in told.chapters for fact in chapter.facts if fact.kind == "violation"]
    assert [fact.values["rule"] for fact in wrong] == [violation.rule for violation in dict.fromkeys(bad.violations)]
    assert f"WRONG ({bad.violations[0].rule})" in text_of(told.chapters, "en")
    assert f"错误（{bad.violations[0].rule}）" in text_of(told.chapters, "zh")


def test_charts_are_of_the_run() -> None:
    told = tell_run(CALM, (parse_action("9000 submit 2"),), fold=False)
    nodes = [f"node{i}" for i in range(4)]
    chart = mermaid(told.chapters, nodes, language="zh")
    assert chart.startswith("sequenceDiagram\n    participant node0\n")
    assert re.search(r"node\d->>node\d: node\d 在视图", chart)
    drawn = space_time(told.records, nodes, title="a <run>", language="en")
    root = ET.fromstring(drawn)  # noqa: S314 (our own text)
    marks = [element for element in root.iter() if element.tag.endswith("circle")]
    arrows = [element for element in root.iter() if element.tag.endswith("line")]
    assert len(marks) > 20
    assert len(arrows) > 40


def test_the_command_writes_charts_and_reads_what_simulate_wrote(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(cli, ["simulate", "--seed", "7", "--ticks", "6000", "--write", str(tmp_path / "run.json")]).exit_code == 0
    arguments = ["model", "explain", str(tmp_path / "run.json"), "--svg", str(tmp_path / "r.svg"), "--mermaid", str(tmp_path / "r.mmd")]
    said = run(cli, [*arguments, "--lang", "zh", "--heights", "1..2"])
    assert said.exit_code == 0, said.output
    assert "高度 1" in said.output
    assert (tmp_path / "r.svg").read_text().startswith("<svg")
    assert (tmp_path / "r.mmd").read_text().startswith("sequenceDiagram")
    data = json.loads(run(cli, [*arguments, "--json"]).stdout)
    assert {chapter["kind"] for chapter in data["chapters"]} >= {"world", "view"}


def test_a_recorded_trace_is_told_as_the_run_itself(tmp_path: Path) -> None:
    run = CliRunner().invoke
    trace = tmp_path / "run.jsonl"
    assert run(cli, ["simulate", "--seed", "7", "--ticks", "6000", "--trace", str(trace)]).exit_code == 0
    from_trace = run(cli, ["model", "explain", str(trace), "--all"]).stdout
    itself = run(cli, ["model", "explain", "--seed", "7", "--ticks", "6000", "--all"]).stdout
    quorums = [re.findall(r"block \w+ is prepared: .*", text) for text in (from_trace, itself)]
    assert quorums[0]
    assert quorums[0] == quorums[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say which run"),
        (["--seed", "1", "x.json"], "say which run"),
        (["nowhere.jsonl"], "no such file"),
        (["--seed", "7", "--ticks", "100", "--heights", "x"], "is no range"),
        (["--seed", "7", "--ticks", "100", "--heights", "900..901"], "nothing happened at heights 900 to 901"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_explained_is_said(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(cli, ["model", "explain", *arguments])
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
    assert result.exception.hint


def test_tracer_and_story_hear_the_same_run() -> None:
    heard: list[Tracer] = []

    def watch(cluster: object) -> None:
        heard.append(Tracer(cluster))  # type: ignore[arg-type]
        cluster.listeners.append(heard[0].on_step)  # type: ignore[attr-defined]

    outcome = simulate(CALM, watch=watch)
    assert tell_run(CALM).outcome == outcome
    assert tell_run(CALM).records == tuple(heard[0].records)
