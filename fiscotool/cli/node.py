"""Commands that act on node processes: start, stop, restart, kill, pause, resume, logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiscotool.cli.options import dir_option, json_option, load_chain, nodes_argument, nodes_to_stop, select_nodes
from fiscotool.cli.output import Output, table
from fiscotool.errors import EnvironmentFailure, Interrupted

if TYPE_CHECKING:
    from fiscotool.chain.model import NodeHome
    from fiscotool.nodes.control import Outcome
    from fiscotool.nodes.logs import LogLine

Act = Callable[["tuple[NodeHome, ...]"], "tuple[Outcome, ...]"]


def _treat(directory: Path, names: tuple[str, ...], output: Output, act: Act, *, all_nodes: bool, default_all: bool = False) -> None:
    _treat_nodes(select_nodes(load_chain(directory), names, all_nodes=all_nodes, default_all=default_all), output, act)


def _end(directory: Path, names: tuple[str, ...], output: Output, act: Act, *, all_nodes: bool) -> None:
    """Stop or kill: all of them can be had down also where the directory is damaged."""
    if not all_nodes or names:
        _treat(directory, names, output, act, all_nodes=all_nodes)
        return
    nodes, damage = nodes_to_stop(directory)
    if damage:
        output.say(f"note: {damage}")
    _treat_nodes(nodes, output, act)


def _treat_nodes(chosen: tuple[NodeHome, ...], output: Output, act: Act) -> None:
    output.progress(f"{len(chosen)} nodes …")
    try:
        outcomes = act(chosen)
    except KeyboardInterrupt:
        raise Interrupted("interrupted half-way", hint="see what runs: fiscotool status") from None
    finally:
        output.progress_done()
    rows = [(item.node, item.did, item.process.identity.pid if item.process.identity else "", f"{item.seconds:.1f} s") for item in outcomes]
    output.show(outcomes, lambda: table(("node", "done", "pid", "took"), rows))


@click.command()
@nodes_argument
@dir_option
@click.option("--within", "wait_s", default=30.0, show_default=True, help="Seconds to wait until every RPC answers.")
@json_option
def start(names: tuple[str, ...], all_nodes: bool, directory: Path, wait_s: float, output: Output) -> None:
    """Start nodes and wait until their RPC answers.

    Without names: every node.

    \b
    Example: fiscotool start --all
             fiscotool start node2
    """
    from fiscotool.nodes import control

    _treat(directory, names, output, lambda nodes: control.start(nodes, wait_s=wait_s), all_nodes=all_nodes, default_all=True)


@click.command()
@nodes_argument
@dir_option
@json_option
def stop(names: tuple[str, ...], all_nodes: bool, directory: Path, output: Output) -> None:
    """Stop nodes cleanly (SIGTERM).

    \b
    Example: fiscotool stop --all
             fiscotool stop node2
    """
    from fiscotool.nodes import control

    _end(directory, names, output, control.stop, all_nodes=all_nodes)


@click.command()
@nodes_argument
@dir_option
@json_option
def restart(names: tuple[str, ...], all_nodes: bool, directory: Path, output: Output) -> None:
    """Stop nodes, then start them.

    \b
    Example: fiscotool restart node1
    """
    from fiscotool.nodes import control

    _treat(directory, names, output, control.restart, all_nodes=all_nodes)


@click.command()
@nodes_argument
@dir_option
@json_option
def kill(names: tuple[str, ...], all_nodes: bool, directory: Path, output: Output) -> None:
    """Kill nodes the hard way (SIGKILL), as a crash would.

    \b
    Example: fiscotool kill @leader
    """
    from fiscotool.nodes import control

    _end(directory, names, output, control.kill, all_nodes=all_nodes)


@click.command()
@nodes_argument
@dir_option
@json_option
def pause(names: tuple[str, ...], all_nodes: bool, directory: Path, output: Output) -> None:
    """Freeze nodes (SIGSTOP): alive, connected and silent.

    \b
    Example: fiscotool pause @follower
    """
    from fiscotool.nodes import control

    _treat(directory, names, output, control.pause, all_nodes=all_nodes)


@click.command()
@nodes_argument
@dir_option
@json_option
def resume(names: tuple[str, ...], all_nodes: bool, directory: Path, output: Output) -> None:
    """Let frozen nodes go on (SIGCONT).

    \b
    Example: fiscotool resume --all
    """
    from fiscotool.nodes import control

    _treat(directory, names, output, control.resume, all_nodes=all_nodes)


@click.command()
@nodes_argument
@dir_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many lines of each node to begin with.")
@json_option
def logs(names: tuple[str, ...], all_nodes: bool, directory: Path, follow: bool, lines: int, output: Output) -> None:
    """Show the nodes' logs.

    Without names: every node. Lines are marked with their node when several are shown.

    \b
    Example: fiscotool logs -n 50 node0
             fiscotool logs -f --all
    """
    from fiscotool.nodes import logs as node_logs

    chosen = select_nodes(load_chain(directory), names, all_nodes=all_nodes, default_all=True)
    mark = len(chosen) > 1
    found = node_logs.follow(chosen, lines=lines) if follow else _last_lines(chosen, lines, output)
    try:
        for line in found:
            output.line({"node": line.node, "file": line.file, "line": line.text}, f"{line.node}  {line.text}" if mark else line.text)
    except KeyboardInterrupt:
        # Ctrl-C is how following is meant to end.
        if not follow:
            raise


def _last_lines(nodes: tuple[NodeHome, ...], lines: int, output: Output) -> Iterator[LogLine]:
    """The last lines of each node; of several, those without a log are named and passed over. Raises EnvironmentFailure when all are."""
    from fiscotool.nodes.logs import tail

    silent: list[EnvironmentFailure] = []
    for node in nodes:
        try:
            yield from tail(node, lines)
        except EnvironmentFailure as problem:
            silent.append(problem)
    if len(silent) == len(nodes):
        raise silent[0]
    for each in silent:
        output.say(f"note: {each.message}")
