"""`deploy` and `destroy`: a chain's directory comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import DEFAULT_DIRECTORY, dir_option, json_option, load_chain
from fiscotool.cli.output import Output, table
from fiscotool.errors import ChainDirectoryError, EnvironmentFailure

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain, NodeHome


@click.command()
@click.option("-l", "layout", required=True, metavar="IP:N[,IP:N]", help="Hosts and how many nodes each carries.")
@click.option(
    "-p",
    "ports",
    default="30300,20200,8545",
    show_default=True,
    envvar="FISCOTOOL_PORTS",
    help="First p2p, RPC and web3 port of every host.",
)
@click.option("-o", "into", default="nodes", show_default=True, type=click.Path(path_type=Path), help="Directory to create.")
@click.option("-e", "binary", type=click.Path(path_type=Path), help="A fisco-bcos binary to use.")
@click.option("-v", "version", default=None, help="FISCO BCOS version (compatibility version of the genesis block).")
@click.option("-I", "chain_id", default="chain0", show_default=True, help="Chain id.")
@click.option("-g", "group_id", default="group0", show_default=True, help="Group id.")
@click.option(
    "--engine", type=click.Choice(["auto", "fisco", "embedded"]), default="auto", show_default=True, help="What runs in the nodes."
)
@click.option("--byzantine", multiple=True, metavar="NODE=MODE", help="Embedded: a node that misbehaves (node3=equivocate).")
@click.option("--quirk", "quirks", multiple=True, metavar="NAME", help="Embedded: reproduce a hole of the real node (docs/pbft.md).")
@click.option("--fund", "funds", multiple=True, metavar="ADDRESS=WEI", help="Embedded: balance of an account in block 0.")
@click.option("--rpc-tls", is_flag=True, help="JSON-RPC over TLS with client certificates, as build_chain.sh configures it.")
@click.option("--min-seal-time", "min_seal_time_ms", default=500, show_default=True, help="ms a leader waits for more transactions.")
@click.option("--tx-limit", "block_tx_count_limit", default=1000, show_default=True, help="Transactions a block at most.")
@click.option("--leader-period", "leader_period_blocks", default=1, show_default=True, help="Blocks a leader makes in turn.")
@click.option("--pipeline", "pipeline_blocks", default=50, show_default=True, help="Blocks that may be under way at once.")
@json_option
def deploy(**given: Any) -> None:
    """Make a chain: keys, certificates, configuration, scripts.

    Without a fisco-bcos binary (-e, or one in the cache) the nodes run the embedded engine: the PBFT reference model as real
    processes with real sockets, disks, keys and the same RPC.

    \b
    Example: fiscotool deploy -l 127.0.0.1:4
             fiscotool deploy -l 127.0.0.1:7 -p 31300,21200,9545 -o seven
             fiscotool deploy -l 127.0.0.1:4 --byzantine node3=equivocate -o byzantine
    """
    from fiscotool.chain.deploy import deploy_chain

    output: Output = given.pop("output")
    chain, why = deploy_chain(report=output.progress, **given)
    output.progress_done()
    output.say(why)
    output.show(_facts(chain), lambda: _overview(chain))
    output.say(f"next: fiscotool start --all{_dir_words(chain)}")


def _dir_words(chain: Chain) -> str:
    root = chain.root.resolve()
    if root == DEFAULT_DIRECTORY.resolve():
        return ""
    return f" --dir {root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root}"


def _facts(chain: Chain) -> dict[str, Any]:
    return {
        "root": chain.root,
        "engine": chain.engine,
        "chain_id": chain.chain_id,
        "group_id": chain.group_id,
        "version": chain.version,
        "nodes": [
            {
                "name": node.name,
                "directory": node.directory,
                "node_id": node.node_id,
                "rpc": node.rpc_url,
                "web3": node.web3_url if node.web3_enabled else None,
                "p2p_port": node.p2p_port,
                "index": chain.genesis.sorted_ids.index(node.node_id),
                "byzantine": node.byzantine,
            }
            for node in chain.nodes
        ],
    }


def _overview(chain: Chain) -> str:
    rows = [
        (
            node.name,
            chain.genesis.sorted_ids.index(node.node_id),
            f"{node.host}:{node.p2p_port}",
            node.rpc_url,
            node.web3_url if node.web3_enabled else "",
            f"{node.node_id[:8]}…",
            node.byzantine,
        )
        for node in chain.nodes
    ]
    return table(("node", "index", "p2p", "rpc", "web3", "node id", "byzantine"), rows)


@click.command()
@dir_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(directory: Path, yes: bool) -> None:
    """Remove a chain that deploy made, after asking.

    Stops its nodes first. Removes only what deploy and the nodes made; anything else stays and is named. Works on a damaged chain, too.

    \b
    Example: fiscotool destroy --dir nodes --yes
    """
    from fiscotool.chain.remove import destroy_chain
    from fiscotool.nodes.control import stop as stop_nodes

    output = Output()
    nodes, damage = _nodes_to_stop(directory)
    if damage:
        output.say(f"note: {damage}")
    question = f"Remove the {'damaged ' if damage else ''}chain of {len(nodes)} nodes in {directory}, its keys and its ledger?"
    if not yes and not click.confirm(question, err=True):
        raise EnvironmentFailure(f"{directory} was left as it is", hint="answer y, or give --yes")
    stop_nodes(nodes)
    left = destroy_chain(directory)
    output.say(
        f"removed {directory}" if not left else f"removed the chain in {directory}; left what is not ours: {', '.join(map(str, left[:5]))}"
    )


def _nodes_to_stop(directory: Path) -> tuple[tuple[NodeHome, ...], str]:
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
