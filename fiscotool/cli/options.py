"""Options that several commands share, and how a command finds its chain and its nodes.

A node is named as its directory is (node0), or by its part in consensus right now: @leader, @follower (the first that is not the
leader). With neither names nor --all a command that changes something says what it needs instead of guessing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fiscotool.cli.output import Output, set_directory
from fiscotool.errors import ChainDirectoryError, UsageError

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain, NodeHome
    from fiscotool.drills.attach import Addresses

    Where = Path | Addresses
    """Where a chain is: its directory, or addresses of its nodes."""

Command = Callable[..., Any]

DEFAULT_DIRECTORY = Path("nodes")
_META = "fiscotool."


def json_option(command: Command) -> Command:
    """`--json`: the answer as one JSON document. The command gets an `output: Output`."""

    def to_output(context: click.Context, parameter: click.Parameter, value: bool) -> Output:
        del context, parameter
        return Output(as_json=value)

    return click.option("--json", "output", is_flag=True, expose_value=True, callback=to_output, help="Print the answer as JSON.")(command)


def dir_option(command: Command) -> Command:
    """`--dir`: which chain. The command gets a `directory: Path`, and next steps that are told name it, too."""
    return _rpc_refused(directory_option(command))


def where_option(command: Command) -> Command:
    """`--dir`, or the nodes' addresses with `--rpc` (and `--sdk`, `--group`): for commands that only ask. They get a `where: Where`."""
    command = directory_option(command, "where")
    command = _remembered("--group", "group", "With --rpc: the group; default: the first the nodes tell.")(command)
    command = _remembered("--sdk", "sdk", "With --rpc: directory of ca.crt, sdk.crt and sdk.key, for nodes that want TLS.")(command)
    return _remembered(
        "--rpc", "rpc", "Instead of a directory: a node, or several with commas; may be repeated (also: FISCOTOOL_RPC).", "FISCOTOOL_RPC"
    )(command)


def directory_option(command: Command, name: str = "directory") -> Command:
    """`--dir` alone, for commands that have words of their own for a chain without a directory."""

    def remember(context: click.Context, parameter: click.Parameter, value: Path) -> Where:
        is_typed = parameter.name is not None and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        rpc: str = context.meta.get(_META + "rpc", "")
        if rpc and is_typed and context.meta.get(_META + "rpc.typed"):
            raise UsageError("--rpc and --dir exclude each other", hint="give the chain's directory, or addresses of its nodes")
        if rpc and not is_typed:
            from fiscotool.drills.attach import Addresses

            sdk = context.meta.get(_META + "sdk")
            return Addresses(tuple(rpc.split(",")), Path(sdk) if sdk else None, context.meta.get(_META + "group", ""))
        if is_typed:
            set_directory(value)
        return value

    return click.option(
        "--dir",
        name,
        default=DEFAULT_DIRECTORY,
        show_default=True,
        envvar="FISCOTOOL_DIR",
        type=click.Path(path_type=Path),
        callback=remember,
        help="The chain's directory (also: FISCOTOOL_DIR).",
    )(command)


def _remembered(flag: str, name: str, text: str, envvar: str | None = None) -> Callable[[Command], Command]:
    """An option that only `--dir` looks at: eager, so that it is known by then."""

    def remember(context: click.Context, parameter: click.Parameter, value: str | tuple[str, ...] | None) -> None:
        if value:
            context.meta[_META + name] = value if isinstance(value, str) else ",".join(value)
            context.meta[f"{_META}{name}.typed"] = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE

    metavar = {"rpc": "HOST:PORT", "sdk": "DIR", "group": "GROUP"}[name]
    return click.option(
        flag,
        f"{name}_",
        metavar=metavar,
        multiple=name == "rpc",
        envvar=envvar,
        is_eager=True,
        expose_value=False,
        callback=remember,
        help=text,
    )


def _rpc_refused(command: Command) -> Command:
    def refuse(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
        del parameter
        if value:
            raise UsageError(
                f"{context.info_name} needs the chain's directory: by addresses alone nodes can be asked, not controlled",
                hint="on the machine of the nodes, give --dir; with --rpc work: status, watch, query, rpc, observe, audit",
            )

    return click.option("--rpc", "rpc_", hidden=True, multiple=True, is_eager=True, expose_value=False, callback=refuse)(command)


def node_option(command: Command) -> Command:
    """`--node`: which node to ask. The command gets a `node: str | None`."""
    return click.option("--node", "node", metavar="NODE", help="Ask this node (node2, @leader); default: the first that answers.")(command)


def nodes_argument(command: Command) -> Command:
    """`[NODE]… | --all`. The command gets `names: tuple[str, ...]` and `all_nodes: bool`."""
    command = click.option("--all", "all_nodes", is_flag=True, help="Every node of the chain.")(command)
    return click.argument("names", nargs=-1, metavar="[NODE]...")(command)


def load_chain(where: Where) -> Chain:
    """The chain in a directory or at addresses. Raises ChainDirectoryError or RpcError with the next step."""
    if isinstance(where, Path):
        from fiscotool.chain.read import read_chain

        return read_chain(where)
    from fiscotool.drills.attach import attach

    return attach(where)


def nodes_to_stop(directory: Path) -> tuple[tuple[NodeHome, ...], str]:
    """The chain's nodes and "", or where the directory is damaged: what may be nodes in it, and what is wrong with it.

    Raises ChainDirectoryError for a directory that no deployment of this tool made.
    """
    from fiscotool.chain.manifest import read_manifest
    from fiscotool.chain.model import NODE_DIRECTORY, NodeHome

    try:
        return load_chain(directory).nodes, ""
    except ChainDirectoryError as problem:
        if not directory.is_dir() or read_manifest(directory) is None:
            raise
        places = sorted(place for place in directory.glob("*/node*") if NODE_DIRECTORY.fullmatch(place.name) and place.is_dir())
        # To find and stop a process, a node's directory is enough; its ports and keys may be what is damaged.
        homes = tuple(
            NodeHome(
                name=f"{place.parent.name}/{place.name}", directory=place.absolute(), host=place.parent.name,
                p2p_port=0, rpc_port=0, web3_port=0, web3_enabled=False, rpc_tls=False, node_id="", p2p_id="",
            )
            for place in places
        )  # fmt: skip
        return homes, problem.message


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
