"""`query` and `rpc`: ask one node one thing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
import orjson

from fiscotool.cli.answers import as_text
from fiscotool.cli.options import json_option, load_chain, node_option, select_nodes, where_option
from fiscotool.cli.output import Output
from fiscotool.errors import Unreachable, UsageError

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain
    from fiscotool.cli.options import Where
    from fiscotool.rpc.neutral import NodeReader

Question = Callable[["NodeReader", str], Any]


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"{text!r} is not a block number", hint="for example: fiscotool query block 12") from None


def _block(client: NodeReader, argument: str) -> Any:
    if argument.startswith("0x") and len(argument) == len("0x") + 64:
        return client.block_by_hash(argument)
    return client.block(_number(argument))


def _version(client: NodeReader) -> Any:
    """3.x tells more of its groups than both generations have in common."""
    from fiscotool.rpc.client import NodeClient

    return client.group_infos() if isinstance(client, NodeClient) else client.version()


# name → (what its argument is called, or "" for none; the question)
QUESTIONS: dict[str, tuple[str, Question]] = {
    "view": ("", lambda client, _: client.pbft_view()),
    "height": ("", lambda client, _: client.block_number()),
    "consensus": ("", lambda client, _: client.consensus_status()),
    "sync": ("", lambda client, _: client.sync_status()),
    "sealers": ("", lambda client, _: client.sealers()),
    "observers": ("", lambda client, _: client.observers()),
    "peers": ("", lambda client, _: client.peers()),
    "pending": ("", lambda client, _: client.pending_count()),
    "total": ("", lambda client, _: client.total_count()),
    "version": ("", lambda client, _: _version(client)),
    "config": ("KEY", lambda client, argument: client.system_config(argument)),
    "block": ("N", _block),
    "tx": ("HASH", lambda client, argument: client.transaction(argument)),
    "receipt": ("HASH", lambda client, argument: client.receipt(argument)),
}


@click.command()
@click.argument("what", type=click.Choice(list(QUESTIONS)), metavar="WHAT")
@click.argument("argument", required=False, default="")
@node_option
@where_option
@json_option
def query(what: str, argument: str, node: str | None, where: Where, output: Output) -> None:
    """Ask a node one thing: view, height, consensus, block N, ….

    \b
    WHAT is one of: view height consensus sync sealers observers peers pending total version
                    config KEY, block N, tx HASH, receipt HASH
    Example: fiscotool query height
             fiscotool query block 1 --json
             fiscotool query consensus --node node2
    """
    wanted, question = QUESTIONS[what]
    if wanted and not argument:
        raise UsageError(f"query {what} needs {wanted}", hint=f"for example: fiscotool query {what} {'1' if wanted == 'N' else wanted}")
    if not wanted and argument:
        raise UsageError(f"query {what} takes no argument, and got {argument!r}", hint=f"fiscotool query {what}")
    chain = load_chain(where)
    answer = ask(chain, node, lambda client: question(client, argument))
    output.show(answer, lambda: as_text(answer, chain))


def ask(chain: Chain, node: str | None, question: Callable[[NodeReader], Any]) -> Any:
    """Put the question to `node`, or to the first node that can be reached. Raises what the last one raised."""
    from fiscotool.drills.targets import client_for

    chosen = select_nodes(chain, (node,), all_nodes=False) if node else chain.nodes
    last: Unreachable | None = None
    for home in chosen:
        with client_for(home, group=chain.group_id) as client:
            try:
                return question(client)
            except Unreachable as error:
                last = error
    if last is None:
        raise UsageError("the chain has no nodes")
    if len(chosen) > 1:
        raise Unreachable(f"no node of the chain in {chain.root} can be reached", hint="start them: fiscotool start --all") from last
    raise last


def _parameter(text: str) -> Any:
    """A parameter as typed: JSON where it is JSON (numbers, true, lists), else text."""
    try:
        return orjson.loads(text)
    except ValueError:
        return text


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("method")
@click.argument("params", nargs=-1)
@node_option
@click.option("--web3", is_flag=True, help="Ask the Ethereum JSON-RPC (8545) instead of the native one.")
@where_option
def rpc(method: str, params: tuple[str, ...], node: str | None, web3: bool, where: Where) -> None:
    """Call any JSON-RPC method of a node and print its answer.

    PARAMS are JSON where they parse as JSON, else text. Of the native API's methods all but a few begin with group and node name:
    give them as they are on the wire ("" for the node).

    \b
    Example: fiscotool rpc getBlockByNumber group0 "" 1 false true
             fiscotool rpc --web3 eth_blockNumber
    """
    chain = load_chain(where)
    values = [_parameter(text) for text in params]
    if web3:
        from fiscotool.rpc.eth_client import EthClient

        chosen = select_nodes(chain, (node,), all_nodes=False)[0] if node else chain.nodes[0]
        if not chosen.web3_enabled:
            raise UsageError(
                f"{chosen.name} has no Ethereum JSON-RPC, as far as is known here",
                hint="it is off in its config.ini ([web3_rpc] enable), or the chain is known by --rpc only: ask without --web3",
            )
        with contextlib.closing(EthClient(chosen.web3_url, name=chosen.name)) as eth:
            answer = eth.call(method, values)
    else:
        answer = ask(chain, node, lambda client: client.call(method, values))
    Output(as_json=True).show(answer, "")
