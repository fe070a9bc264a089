"""`audit`: verify a chain's whole evidence from RPC alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiscotool.cli.options import json_option, load_chain, select_nodes, where_option
from fiscotool.cli.output import Output
from fiscotool.errors import ExitCode, Interrupted

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain, NodeHome
    from fiscotool.cli.options import Where
    from fiscotool.observer.audit import Surveyed
    from fiscotool.observer.audit_words import Audit, NodeAddress

_EXITS = {"holds": ExitCode.OK, "violated": ExitCode.VIOLATED, "inconclusive": ExitCode.INCONCLUSIVE}
_MARKS = {"holds": "✔", "violated": "✘", "inconclusive": "?"}
_SAVE_EVERY_S = 1.0
_SHOWN_MAX = 20


@click.command()
@click.option("--from", "from_height", type=click.IntRange(min=0), default=None, help="First block; default: 0, the genesis block.")
@click.option("--to", "to_height", type=click.IntRange(min=0), default=None, help="Last block; default: the highest there is.")
@click.option("--node", "names", metavar="NODE", multiple=True, help="Verify this node only (may be repeated); default: every node.")
@click.option("--quick", is_flag=True, help="Verify one node; compare the others with it by bisection.")
@click.option(
    "--depth",
    type=click.Choice(["headers", "roots", "all"]),
    default="roots",
    show_default=True,
    help="headers: hashes, parents, signatures; roots: also transaction hashes; all: also whole transactions and receipts.",
)
@click.option("--resume", "state", type=click.Path(path_type=Path, dir_okay=False), help="Keep the state in this file and go on from it.")
@click.option("--jobs", type=click.IntRange(min=1, max=256), default=None, help="Processes; default: one a core.")
@where_option
@json_option
def audit(
    from_height: int | None,
    to_height: int | None,
    names: tuple[str, ...],
    *,
    quick: bool,
    depth: str,
    state: Path | None,
    jobs: int | None,
    where: Where,
    output: Output,
) -> int:
    """Verify a chain's whole evidence from RPC alone.

    Every block of every node: its hash recomputed, its parent linked, its signatures verified (distinct sealers, a quorum's weight), its
    transactions' root recomputed; and the nodes compared with each other. Exit code 0: it holds; 1: something does not; 5: something
    could not be verified; 4: no node answers.

    \b
    Example: fiscotool audit
             fiscotool audit --depth all --from 1 --json
             fiscotool audit --node node0 --resume audit.json
             fiscotool audit --rpc 127.0.0.1:20200,127.0.0.1:20201 --quick
    """
    from fiscotool.observer.audit import compare, plan_audit, survey
    from fiscotool.observer.audit_state import continue_audit, load_audit

    chain = load_chain(where)
    addresses = [_address(chain, node) for node in chain.nodes]
    full = tuple(node.name for node in select_nodes(chain, names, all_nodes=False, default_all=True))
    asked = addresses if quick or not names else [address for address in addresses if address.name in full]
    known = load_audit(state) if state is not None else None
    found = survey(asked)
    if quick and not names:
        full = known.nodes if known is not None else (found.first.name,)
    wanted = plan_audit(found, full=full, from_height=_begin(from_height, known), to_height=to_height, depth=depth)
    if known is not None and state is not None:
        wanted = continue_audit(state, known, wanted, from_given=from_height is not None)
    for finding in compare(found):
        if finding not in wanted.findings:
            output.say(finding.words)
            wanted.add(finding)
    done = _run(found, wanted, jobs=jobs, state=state, output=output)
    output.show(done.as_json(), lambda: words(done))
    return _EXITS[done.verdict]


def _begin(from_height: int | None, known: Audit | None) -> int:
    if from_height is not None:
        return from_height
    return known.from_height if known is not None else 0


def _address(chain: Chain, node: NodeHome) -> NodeAddress:
    from fiscotool.observer.audit_words import NodeAddress
    from fiscotool.rpc.tls import TlsFiles

    return NodeAddress(node.name, node.rpc_url, chain.group_id, TlsFiles.from_sdk(node.sdk_directory) if node.rpc_tls else None)


def _run(found: Surveyed, wanted: Audit, *, jobs: int | None, state: Path | None, output: Output) -> Audit:
    from fiscotool.observer.audit import Auditor
    from fiscotool.observer.audit_state import save_audit

    began_s = saved_s = time.monotonic()
    first_height = wanted.next_height

    def show(audit: Audit) -> None:
        nonlocal saved_s
        now_s = time.monotonic()
        rate = (audit.next_height - first_height) / max(now_s - began_s, 1e-3)
        left_s = (audit.to_height + 1 - audit.next_height) / max(rate, 1e-3)
        found_count = sum(audit.finding_counts.values())
        output.progress(
            f"block {audit.next_height - 1} of {audit.to_height}  {rate:.0f} blocks/s  {left_s:.0f} s left"
            + (f"  {found_count} found" if found_count else "")
        )
        if state is not None and now_s - saved_s >= _SAVE_EVERY_S:
            save_audit(state, audit)
            saved_s = now_s

    auditor = Auditor(found, wanted, jobs=jobs, on_progress=show)
    try:
        return auditor.run()
    except KeyboardInterrupt:
        hint = f"go on: the same command with --resume {state}" if state is not None else "with --resume FILE the next one can be continued"
        raise Interrupted(f"interrupted at block {wanted.next_height} of {wanted.to_height}", hint=hint) from None
    finally:
        output.progress_done()
        if state is not None:
            save_audit(state, wanted)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def words(audit: Audit) -> str:
    """The result for people: verdict, what was verified, what was found."""
    mark = _MARKS[audit.verdict]
    what = "whole transactions" if audit.depth == "all" else "transaction hashes"
    lines = [
        f"{mark} {audit.verdict}",
        f"blocks {audit.from_height} to {audit.next_height - 1} of {', '.join(audit.nodes)}",
        f"verified: {_plural(audit.telling_count, 'header')}, {_plural(audit.signature_count, 'signature')}",
    ]
    if audit.tx_count:
        lines[-1] += f", {audit.tx_count} {what}"
    if audit.receipts_count:
        lines[-1] += f", receipts of {_plural(audit.receipts_count, 'block')}"
    if audit.compared:
        lines.append(f"compared by bisection: {', '.join(audit.compared)}")
    lines += [f"✘ {finding.words}" for finding in audit.findings[:_SHOWN_MAX]]
    if (more := sum(audit.finding_counts.values()) - min(len(audit.findings), _SHOWN_MAX)) > 0:
        lines.append(f"  and {more} more (--json has up to 200)")
    for change in audit.changes[:_SHOWN_MAX]:
        names = [f"+{one[:8]}…" for one in change.added] + [f"-{one[:8]}…" for one in change.removed]
        lines.append(f"note: from block {change.height} on the sealers are others: {', '.join(names)}")
    lines += [f"note: {note}" for note in audit.notes]
    lines += [f"? {problem}" for problem in audit.problems]
    return "\n".join(lines)
