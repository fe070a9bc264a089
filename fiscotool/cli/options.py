"""Options that several commands share, and how a command finds its chain and its nodes.

A node is named as its directory is (node0), or by its part in consensus right now: @leader, @follower (the first that is not the
leader). With neither names nor --all a command that changes something says what it needs instead of guessing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.output import Output
from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain, NodeHome

Command = Callable[..., Any]

DEFAULT_DIRECTORY = Path("nodes")


def json_option(command: Command) -> Command:
    """`--json`: the answer as one JSON document. The command gets an `output: Output`."""

    def to_output(context: click.Context, parameter: click.Parameter, value: bool) -> Output:
        del context, parameter
        return Output(as_json=value)

    return click.option("--json", "output", is_flag=True, expose_value=True, callback=to_output, help="Print the answer as JSON.")(command)


def dir_option(command: Command) -> Command:
    """`--dir`: which chain. The command gets a `directory: Path`."""
    return click.option(
        "--dir",
        "directory",
        default=DEFAULT_DIRECTORY,
        show_default=True,
        envvar="FISCOTOOL_DIR",
        type=click.Path(path_type=Path),
        help="The chain's directory (also: FISCOTOOL_DIR).",
    )(command)


def node_option(command: Command) -> Command:
    """`--node`: which node to ask. The command gets a `node: str | None`."""
    return click.option("--node", "node", metavar="NODE", help="Ask this node (node2, @leader); default: the first that answers.")(command)


def nodes_argument(command: Command) -> Command:
    """`[NODE]… | --all`. The command gets `names: tuple[str, ...]` and `all_nodes: bool`."""
    command = click.option("--all", "all_nodes", is_flag=True, help="Every node of the chain.")(command)
    return click.argument("names", nargs=-1, metavar="[NODE]...")(command)


def load_chain(directory: Path) -> Chain:
    """The chain in `directory`. Raises ChainDirectoryError with the next step."""
    from fiscotool.chain.read import read_chain

    return read_chain(directory)


def select_nodes(chain: Chain, names: tuple[str, ...], *, all_nodes: bool, default_all: bool = False) -> tuple[NodeHome, ...]:
    """The nodes meant. Raises UsageError for unknown names, for names together with --all, and for neither (unless `default_all`)."""
    if all_nodes and names:
        raise UsageError("--all and node names exclude each other", hint="give one of the two")
    if all_nodes or (default_all and not names):
        return chain.nodes
    if not names:
        known = ", ".join(node.name for node in chain.nodes[:6])
        raise UsageError("which node?", hint=f"name nodes ({known}), @leader, @follower, or --all")
    found = [node for name in names for node in _named(chain, name)]
    return tuple(dict.fromkeys(found))


def _named(chain: Chain, name: str) -> tuple[NodeHome, ...]:
    if name in {"@leader", "@follower"}:
        from fiscotool.drills.targets import follower_of, leader_of

        return (leader_of(chain) if name == "@leader" else follower_of(chain),)
    node = chain.node(name)
    if node is None:
        known = ", ".join(each.name for each in chain.nodes)
        raise UsageError(f"the chain in {chain.root} has no node {name!r}", hint=f"its nodes are {known}; @leader and @follower work, too")
    return (node,)
