"""`status` and `watch`: every node at a glance, once or live."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import json_option, load_chain, where_option
from fiscotool.cli.output import Output, table

if TYPE_CHECKING:
    from fiscotool.cli.options import Where
    from fiscotool.drills.target import Look
    from fiscotool.drills.targets import LocalTarget
    from fiscotool.nodes.process import NodeProcess

HEADERS = ("node", "address", "pid", "state", "since", "index", "height", "view", "leader", "peers", "timeout", "says")


@click.command()
@where_option
@json_option
def status(where: Where, output: Output) -> None:
    """Show every node: process, height, view, leader, peers.

    \b
    Example: fiscotool status
             fiscotool status --json
             fiscotool status --rpc 127.0.0.1:20200,127.0.0.1:20201
    """
    from fiscotool.drills.targets import LocalTarget

    target = LocalTarget(load_chain(where))
    try:
        rows = glance(target)
    finally:
        target.close()
    output.show(rows, lambda: as_table(rows))
    if not output.as_json:
        output.say(remark(rows))


def glance(target: LocalTarget) -> list[dict[str, Any]]:
    """One row of facts for every node."""
    from fiscotool.drills.run import leader_name
    from fiscotool.drills.targets import names_by_index
    from fiscotool.nodes.process import states_of

    states = states_of(target.chain.nodes)
    looks = target.look()
    by_index: dict[int | None, str] = dict(names_by_index(target.chain, looks).items())
    leader = leader_name(looks)
    return [
        _row(target, name, states[name], looks[name], {"leader": leader, "its_leader": by_index.get(looks[name].leader_index)})
        for name in target.names
    ]


def _row(target: LocalTarget, name: str, process: NodeProcess, look: Look, leaders: dict[str, str | None]) -> dict[str, Any]:
    from fiscotool.drills.attach import AttachedNode

    node = target.chain.node(name)
    return {
        "node": name,
        "address": node.rpc_url if node else "",
        "pid": process.identity.pid if process.identity else None,
        "state": process.state if not isinstance(node, AttachedNode) else "answers" if look.answers else "silent",
        "since": datetime.fromtimestamp(process.since, UTC).isoformat(timespec="seconds") if process.since else None,
        "protocol": target.chain.protocol,
        "index": look.node_index,
        "height": look.height,
        "view": look.view,
        "leader": leaders["its_leader"],
        "is_leader": leaders["leader"] == name,
        "peers": look.connected_count,
        "timeout": look.timeout,
        "sealers": look.sealer_count,
        "quorum": look.quorum_weight,
        "byzantine": node.byzantine if node else "",
        "mutant": node.mutant if node else "",
        "error": "" if process.state == "stopped" else look.error,
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """The rows for people."""
    headers = HEADERS if any(row["error"] or row["byzantine"] or row["mutant"] for row in rows) else HEADERS[:-1]
    return table(
        headers,
        [
            (
                row["node"] + ("*" if row["is_leader"] else ""),
                row["address"],
                row["pid"],
                row["state"],
                row["since"],
                *(row[key] for key in ("index", "height", "view", "leader", "peers")),
                "yes" if row["timeout"] else "no" if row["timeout"] is False else None,
                *([row["error"] or _misbehaviour(row)] if headers is HEADERS else []),
            )
            for row in rows
        ],
    )


def _misbehaviour(row: dict[str, Any]) -> str:
    """What a node was deployed to do wrong."""
    return ", ".join(f"{kind}: {row[kind]}" for kind in ("byzantine", "mutant") if row[kind])


def remark(rows: list[dict[str, Any]]) -> str:
    """What the table means, in one sentence: the first thing an operator wants to know."""
    answering = [row for row in rows if row["height"] is not None]
    if not answering:
        stopped = all(row["state"] == "stopped" for row in rows)
        return "no node runs; start them: fiscotool start --all" if stopped else "no node answers; see: fiscotool logs"
    # Observers (without an index) neither count nor vote; of a chain known by addresses, not all sealers may be here.
    sealers = [row for row in answering if row["index"] is not None]
    count = max((row["sealers"] or 0 for row in answering), default=0) or len(rows)
    quorum = max((row["quorum"] or 0 for row in answering), default=0) or count - (count - 1) // 3
    healthy = [row for row in sealers if row["timeout"] is False]
    elsewhere = max(0, count - len(rows))
    if len(sealers) + elsewhere < quorum:
        return f"{len(sealers)} of {count} nodes answer and {quorum} are needed: no block can be made until more run"
    if len(healthy) + elsewhere < quorum:
        if all(row["view"] == 0 for row in sealers):
            return "the nodes have just started and look for a common view: that takes about 3 s"
        return f"{len(sealers) - len(healthy)} nodes are in timeout (changing the view); on an idle chain they may wait for a transaction"
    missing = count - elsewhere - len(healthy)
    return (
        f"{len(healthy)} of {count} nodes take part, {quorum} are needed"
        + (f"; {missing} {'does' if missing == 1 else 'do'} not" if missing > 0 else "")
        + (f"; {elsewhere} {'is' if elsewhere == 1 else 'are'} not among these addresses" if elsewhere else "")
    )


@click.command()
@where_option
@click.option("--every", "every_s", default=0.5, show_default=True, help="Seconds between two looks.")
@click.option("--for", "for_s", type=float, default=None, help="Stop after so many seconds.")
@json_option
def watch(where: Where, every_s: float, for_s: float | None, output: Output) -> None:
    """Show all nodes live, until Ctrl-C.

    On a terminal the table redraws itself; elsewhere, and with --json, there is a line for every look: h is the height, v the view,
    ! a node in timeout, * the leader. Ctrl-C ends it (exit code 0; 130 when --for was given).

    \b
    Example: fiscotool watch
             fiscotool watch --for 10 --json
    """
    from fiscotool.drills.targets import LocalTarget

    target = LocalTarget(load_chain(where))
    began_s = time.monotonic()
    redraws = sys.stdout.isatty() and not output.as_json
    try:
        while True:
            look_began_s = time.monotonic()
            rows = glance(target)
            _show(output, rows, redraws=redraws)
            if for_s is not None and time.monotonic() - began_s >= for_s:
                return
            time.sleep(max(0.0, every_s - (time.monotonic() - look_began_s)))
    except KeyboardInterrupt:
        # Ctrl-C is how this command is meant to end, unless it was told for how long.
        if for_s is not None:
            raise
    finally:
        target.close()


def _brief(row: dict[str, Any]) -> str:
    if row["height"] is None:
        return f"{row['node']}={row['state']}{':no answer' if row['state'] == 'running' else ''}"
    return f"{row['node']}=h{row['height']}:v{row['view']}{'!' if row['timeout'] else ''}{'*' if row['is_leader'] else ''}"


def _show(output: Output, rows: list[dict[str, Any]], *, redraws: bool) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    if redraws:
        output.write(f"\x1b[H\x1b[2J{now}  (Ctrl-C ends)\n\n{as_table(rows)}\n\n{remark(rows)}\n")
        return
    brief = "  ".join(_brief(row) for row in rows)
    output.line({"time": now, "nodes": rows}, f"{now}  {brief}")
