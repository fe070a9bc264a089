"""`events`: what the nodes' logs say, as one timeline."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.observe import duration_s
from fiscotool.cli.options import dir_option, json_option, load_chain, select_nodes
from fiscotool.cli.output import Output
from fiscotool.errors import UsageError
from fiscotool.observer.logs.events import MAIN_KINDS, Kind, LogEvent

if TYPE_CHECKING:
    from fiscotool.observer.logs.clock import ClockOffset
    from fiscotool.observer.logs.collect import Source
    from fiscotool.observer.logs.counts import LogCounts
    from fiscotool.observer.logs.story import Happening, Story

_LOOK_EVERY_S = 0.2
_UNKNOWN_SHOWN_MAX = 20
_VOTES = {Kind.PREPARE_COUNTED, Kind.COMMIT_COUNTED, Kind.CHECKPOINT_COUNTED, Kind.VIEW_CHANGE_COUNTED, Kind.PREPARE_SENT, Kind.COMMIT_SENT}


@click.command()
@click.argument("what", nargs=-1, metavar="[NODE|FILE]...")
@dir_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--since", metavar="TIME", help="Begin here: 10m (ago), 90s, or 2026-11-21T05:38:00 in the time shown.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    type=click.Choice([kind.value for kind in Kind]),
    help="Only events of this kind (timeout, view-entered, report, ...: docs/logs.md); may be repeated.",
)
@click.option("--details", is_flag=True, help="Every event of every node on a line of its own: votes, executions, checkpoints.")
@click.option(
    "--zone", "zone_text", metavar="ZONE", help="Time zone of the logs (+08:00, UTC, Asia/Shanghai); default: what they tell, else local."
)
@click.option("--align", is_flag=True, help="Bring the nodes' clocks together as far as their votes tell.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the text.")
@json_option
def events(
    what: tuple[str, ...],
    directory: Path,
    follow: bool,
    since: str | None,
    kinds: tuple[str, ...],
    details: bool,
    zone_text: str | None,
    align: bool,
    lang: str,
    output: Output,
) -> None:
    """Tell what the nodes' logs say as one timeline: proposals, quorums, time-outs, view changes.

    Reads the logs of the chain's nodes, or given log files and directories (of 2.x or 3.x, also .xz and .gz). Lines with a consensus
    badge that are not understood are shown and counted, never dropped.

    \b
    Example: fiscotool events
             fiscotool events node0 node1 --since 5m
             fiscotool events --kind timeout --kind view-entered --json
             fiscotool events nodes/127.0.0.1/node0/log --details
    """
    from fiscotool.observer.logs.times import LOCAL, parse_zone

    zone = parse_zone(zone_text) if zone_text else LOCAL
    sources = _sources(what, directory)
    wanted = frozenset(Kind(kind) for kind in kinds) or (frozenset(Kind) - {Kind.BOOKKEEPING} if details else MAIN_KINDS)
    teller = _Teller(output, wanted, zone=zone, chinese=lang == "zh", single=details or bool(kinds) or output.as_json)
    since_s = _since(since, zone)
    if follow:
        if align:
            raise UsageError("--align looks at whole logs and does not go with --follow", hint="leave one of the two out")
        _follow(sources, teller, since_s if since_s is not None else time.time(), zone)
    else:
        _read(sources, teller, since_s, zone, find_zone=zone_text is None, align=align)
    teller.finish()


def _sources(what: tuple[str, ...], directory: Path) -> tuple[Source, ...]:
    """Files and directories that exist are read; any other word is a node of the chain. The two do not mix."""
    from fiscotool.observer.logs.collect import Source, sources_of
    from fiscotool.observer.logs.tail import log_files_in

    paths = [Path(word) for word in what if Path(word).exists()]
    if paths and len(paths) == len(what):
        return sources_of(paths)
    if paths:
        word = next(word for word in what if not Path(word).exists())
        raise UsageError(f"there is no file {word}", hint="name log files, or nodes of the chain, not both")
    nodes = select_nodes(load_chain(directory), what, all_nodes=False, default_all=True)
    return tuple(Source(node.name, log_files_in(node.directory / "log"), node.directory / "log") for node in nodes)


def _since(text: str | None, zone: tzinfo | None) -> float | None:
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return time.time() - duration_s(text)
    return (told if told.tzinfo else told.replace(tzinfo=zone)).timestamp()


def _read(sources: Sequence[Source], teller: _Teller, since_s: float | None, zone: tzinfo | None, *, find_zone: bool, align: bool) -> None:
    from fiscotool.observer.logs.clock import offsets_from_votes
    from fiscotool.observer.logs.collect import read_all

    for source in sources:
        if not source.paths:
            teller.output.say(f"note: {source.node} has no log files in {source.directory}")
    skip = frozenset[Kind]() if align else teller.skip
    found, parsers = read_all(sources, zone=zone, find_zone=find_zone, skip=skip, since_s=since_s)
    for parser in parsers.values():
        teller.count(parser.counts)
    if parsers:
        teller.zone = next(iter(parsers.values())).zone
    if align and found:
        reference = max(found, key=lambda node: len(found[node]))
        for node, offset in offsets_from_votes(found, reference).items():
            teller.output.say(_offset_text(node, reference, offset))
            if not offset.may_be_zero and not offset.is_contradictory:
                found[node] = [event._replace(at_s=event.at_s - offset.estimate_s) for event in found[node]]
    teller.take(heapq.merge(*found.values(), key=lambda event: event.at_s))


def _offset_text(node: str, reference: str, offset: ClockOffset) -> str:
    if offset.is_contradictory:
        return f"clocks: {node} and {reference} moved against each other while they were watched; times are left as they are"
    said = "agrees with" if offset.may_be_zero else f"is {offset.estimate_s:+.3f} s from (corrected)"
    return f"clocks: {node} {said} {reference}, within {offset.error_s * 1000:.1f} ms ({offset.evidence_count} votes)"


def _follow(sources: Sequence[Source], teller: _Teller, since_s: float, zone: tzinfo | None) -> None:
    from fiscotool.observer.logs.parse import LogParser
    from fiscotool.observer.logs.tail import LogTail

    followed = []
    for source in sources:
        if source.directory is None:
            raise UsageError("files are not followed, directories are", hint="give the log directory: fiscotool events -f node0/log")
        followed.append((LogTail(source.directory, since_s=since_s, zone=zone), LogParser(source.node, zone=zone, skip=teller.skip)))
    try:
        while True:
            fresh: list[LogEvent] = []
            for tail, parser in followed:
                for _, lines in tail.new_lines():
                    fresh += [event for event in parser.parse(lines) if event.at_s >= since_s]
            teller.take(sorted(fresh, key=lambda event: event.at_s), until_s=time.time() - 1.0)
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        # Ctrl-C is how following is meant to end.
        for _, parser in followed:
            teller.count(parser.counts)


class _Teller:
    """Writes the timeline, and at the end what became of the lines."""

    def __init__(self, output: Output, wanted: frozenset[Kind], *, zone: tzinfo | None, chinese: bool, single: bool) -> None:
        from fiscotool.observer.logs.counts import LogCounts
        from fiscotool.observer.logs.story import Story

        self.output = output
        self.zone = zone
        self._wanted = wanted
        self._chinese = chinese
        self._single = single
        self._counts: LogCounts = LogCounts()
        self._story: Story = Story(wanted)
        # A block's line needs who sealed and accepted it; what nobody asked for is counted and not built.
        needed = wanted if single else wanted | (frozenset(Kind) - _VOTES - {Kind.BOOKKEEPING})
        self.skip = frozenset(Kind) - needed - {Kind.UNKNOWN}

    def count(self, counts: LogCounts) -> None:
        """Add what one node's parser counted."""
        self._counts.add(counts)

    def take(self, events: Iterable[LogEvent], until_s: float | None = None) -> None:
        """Tell `events`, which are in order of time; with `until_s` also what waited and is older."""
        if self._single:
            for event in events:
                self._event(event)
            return
        for happening in self._story.add(events):
            self._happening(happening)
        if until_s is not None:
            for happening in self._story.flush(until_s):
                self._happening(happening)

    def finish(self) -> None:
        """Tell what still waits, and the counts."""
        for happening in self._story.flush():
            self._happening(happening)
        counts = self._counts
        if self.output.as_json:
            self.output.line({"summary": {**_counted(counts), "unknown": [_unknown(*item) for item in counts.unknown.items()]}}, "")
            return
        for line in _summary(counts, chinese=self._chinese):
            self.output.say(line)

    def _event(self, event: LogEvent) -> None:
        if event.own is not None:
            self._story.names[event.own] = event.node
        if event.kind not in self._wanted and event.kind is not Kind.UNKNOWN:
            return
        if self.output.as_json:
            self.output.line(_event_data(event, self._at(event.at_s)), "")
            return
        from fiscotool.observer.logs.tell import tell_event

        text = tell_event(event, self._story.names, chinese=self._chinese)
        self.output.line(None, f"{self._at(event.at_s)}  {event.node:<6} {event.kind.value:<20} {text}")

    def _happening(self, happening: Happening) -> None:
        from fiscotool.observer.logs.tell import tell

        nodes = "" if happening.block is not None else ",".join(sorted(happening.nodes)) + " "
        more = happening.count > len(happening.nodes) and happening.kind is not Kind.SYNCED
        times = (f" ({happening.count} 次)" if self._chinese else f" ({happening.count} times)") if more else ""
        text = tell(happening, self._story.names, chinese=self._chinese)
        self.output.line(None, f"{self._at(happening.at_s)}  {nodes}{text}{times}")

    def _at(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, self.zone).isoformat(sep=" ", timespec="milliseconds")[:23]


def _event_data(event: LogEvent, at: str) -> dict[str, Any]:
    state = event.state
    data: dict[str, Any] = {
        "at": at,
        "at_s": round(event.at_s, 6),
        "node": event.node,
        "kind": event.kind,
        "level": event.level,
        "height": event.height,
        "view": event.view,
        "digest": event.digest or None,
        "sender": event.sender,
        "weight": event.weight,
        "own": event.own,
        "line": event.line,
        "message": event.message,
    }
    if state is not None:
        data |= {"head": state.head, "own_view": state.view, "to_view": state.to_view, "change_cycle": state.change_cycle}
    return {name: value for name, value in data.items() if value is not None}


def _counted(counts: LogCounts) -> dict[str, int]:
    return {
        "lines": counts.line_count,
        "understood": counts.event_count - counts.unknown_count,
        "other_modules": counts.other_count,
        "continuations": counts.continuation_count,
        "torn": counts.torn_count,
        "unknown_lines": counts.unknown_count,
    }


def _unknown(text: str, told: tuple[int, str]) -> dict[str, Any]:
    return {"text": text, "count": told[0], "first_line": told[1]}


def _summary(counts: LogCounts, *, chinese: bool) -> Iterator[str]:
    told = _counted(counts)
    if chinese:
        yield (
            f"共 {told['lines']} 行:共识与同步 {told['understood']} 行已解析,其他模块 {told['other_modules']} 行,"
            f"续行 {told['continuations']} 行,残行 {told['torn']} 行,未识别 {told['unknown_lines']} 行"
        )
    else:
        yield (
            f"{told['lines']} lines: {told['understood']} understood, {told['other_modules']} of other modules, "
            f"{told['continuations']} continuations, {told['torn']} torn, {told['unknown_lines']} unknown"
        )
    ranked = sorted(counts.unknown.items(), key=lambda item: -item[1][0])
    for text, (count, line) in ranked[:_UNKNOWN_SHOWN_MAX]:
        yield f"  unknown, {count} times: {text}\n    first: {line}"
    if len(ranked) > _UNKNOWN_SHOWN_MAX:
        yield f"  and {len(ranked) - _UNKNOWN_SHOWN_MAX} more texts (--json lists them all)"
