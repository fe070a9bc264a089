"""`deploy` and `destroy`: a chain's directory comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import dir_option, json_option, nodes_to_stop
from fiscotool.cli.output import Output, table
from fiscotool.cli.plans import dir_words, expansion_facts, expansion_text, plan_facts, plan_text, show_lint
from fiscotool.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain, NodeHome


@click.command()
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[-- FLAG...]")
@click.option("-l", "layout", metavar="IP:N[,IP:N]", help="Hosts and how many nodes each carries.")
@click.option(
    "-f", "ipconf", type=click.Path(path_type=Path), help="Instead of -l: a file with a line a host: ip:n [agency [groups [ports]]]."
)
@click.option(
    "-p",
    "ports",
    default="30300,20200,8545",
    show_default=True,
    envvar="FISCOTOOL_PORTS",
    help="First p2p, RPC and web3 port of every host; 2.x: p2p, channel and RPC.",
)
@click.option("-o", "into", default="nodes", show_default=True, type=click.Path(path_type=Path), help="Directory to create.")
@click.option("-e", "binary", type=click.Path(path_type=Path), help="A fisco-bcos binary to use.")
@click.option("-v", "version", default=None, help="Version of FISCO BCOS, 2.x or 3.x: what the chain is compatible with.")
@click.option("-I", "chain_id", default=None, help="Chain id.  [default: chain0; 2.x: 1]")
@click.option("-g", "group_id", default=None, help="Group id.  [default: group0; 2.x: 1]")
@click.option("-s", "sm_crypto", is_flag=True, help="National cryptography (real nodes, by build_chain.sh, with TASSL in ~/.fisco).")
@click.option(
    "--maker",
    type=click.Choice(["auto", "official", "native"]),
    default="auto",
    show_default=True,
    help="Who makes a real node's files: build_chain.sh, or fiscotool itself.",
)
@click.option("--expand", is_flag=True, help="Add the nodes of -l to the chain that -o names.")
@click.option("--ca", "authority", type=click.Path(path_type=Path), help="With --expand: directory of the chain's CA (2.x: of an agency).")
@click.option("--dry-run", is_flag=True, help="Only show what would be made.")
@click.option(
    "--engine", type=click.Choice(["auto", "fisco", "embedded"]), default="auto", show_default=True, help="What runs in the nodes."
)
@click.option(
    "--protocol",
    type=click.Choice(["fisco3", "fisco2", "classic"]),
    default=None,
    help="Embedded: which PBFT the nodes run; fisco2 makes a chain of 2.x.  [default: fisco3]",
)
@click.option("--byzantine", multiple=True, metavar="NODE=MODE", help="Embedded: a node that misbehaves (node3=equivocate).")
@click.option(
    "--mutant", "mutants", multiple=True, metavar="NODE=NAME", help="Embedded: plant a bug, all=NAME everywhere (docs/mutants.md)."
)
@click.option("--quirk", "quirks", multiple=True, metavar="NAME", help="Embedded: reproduce a hole of the real node (docs/pbft.md).")
@click.option("--trace", is_flag=True, help="Embedded: nodes write down every step, for fiscotool check --traces.")
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
    processes with real sockets, disks, keys and the same RPC. With one, 3.x or 2.x, the files are made by the official
    build_chain.sh where it can be had, else by fiscotool; what stands behind -- is passed on to that script.
    With several hosts there is a directory for each, ready to be copied to it.

    \b
    Example: fiscotool deploy -l 127.0.0.1:4
             fiscotool deploy -l 127.0.0.1:7 -p 31300,21200,9545 -o seven
             fiscotool deploy -l 127.0.0.1:4 --protocol fisco2 -o two
             fiscotool deploy -l 127.0.0.1:4 --byzantine node3=equivocate -o byzantine
             fiscotool deploy -l 10.0.0.1:2,10.0.0.2:2 -e ./fisco-bcos -v 2.9.1 --dry-run
             fiscotool deploy -l 127.0.0.1:4 -e ./fisco-bcos -- -E
             fiscotool deploy --expand -l 127.0.0.1:1 -o nodes
    """
    from fiscotool.chain.deploy import carry_out, prepare

    output: Output = given.pop("output")
    dry_run: bool = given.pop("dry_run")
    is_expansion: bool = given.pop("expand")
    authority: Path | None = given.pop("authority")
    if is_expansion:
        _expand(given, authority, dry_run=dry_run, output=output)
        return
    if authority is not None:
        raise UsageError("--ca is for --expand", hint="drop it: a new chain gets an authority of its own")
    deployment = prepare(**given)
    if dry_run:
        output.show(plan_facts(deployment), lambda: plan_text(deployment))
        return
    chain, why = carry_out(deployment, report=output.progress)
    output.progress_done()
    output.say(why)
    output.show(_facts(chain), lambda: _overview(chain))
    show_lint(chain, output)
    output.say(f"next: fiscotool start --all{dir_words(chain)}")


def _expand(given: dict[str, Any], authority: Path | None, *, dry_run: bool, output: Output) -> None:
    from fiscotool.chain.expand import expand_chain, plan_expansion

    if given["layout"] is None:
        raise UsageError("--expand needs -l: where the new nodes go, and how many", hint="for example --expand -l 127.0.0.1:1")
    expansion = plan_expansion(given["into"], given["layout"], authority=authority)
    if dry_run:
        output.show(expansion_facts(expansion), lambda: expansion_text(expansion))
        return
    chain = expand_chain(expansion, report=output.progress)
    output.progress_done()
    output.show(_facts(chain), lambda: _overview(chain))
    show_lint(chain, output)
    added = {seat.directory for seat in expansion.seats}
    names = " ".join(node.name for node in chain.nodes if node.directory in added)
    output.say(f"next: fiscotool start {names}{dir_words(chain)}; it gets blocks once a transaction has added it as an observer")


def _index(chain: Chain, node: NodeHome) -> int | None:
    """Its place among the sealers of the genesis; None for a node that was added later."""
    ids = chain.genesis.sorted_ids
    return ids.index(node.node_id) if node.node_id in ids else None


def _facts(chain: Chain) -> dict[str, Any]:
    return {
        "root": chain.root,
        "engine": chain.engine,
        "chain_id": chain.chain_id,
        "group_id": chain.group_id,
        "version": chain.version,
        "protocol": chain.protocol,
        "nodes": [
            {
                "name": node.name,
                "directory": node.directory,
                "node_id": node.node_id,
                "rpc": node.rpc_url,
                "web3": node.web3_url if node.web3_enabled else None,
                "p2p_port": node.p2p_port,
                "index": _index(chain, node),
                "byzantine": node.byzantine,
            }
            for node in chain.nodes
        ],
    }


def _overview(chain: Chain) -> str:
    rows = [
        (
            node.name,
            _index(chain, node),
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
    nodes, damage = nodes_to_stop(directory)
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
