"""What `chain.wrapper` needs to know of the official script of FISCO BCOS 2: its options, and the edits afterwards.

The chain is described by a file of hosts (-f) where `-l` cannot: several agencies, groups, or ports of their own.

Sources: spec 2.x 4.1; build_chain.sh (2.x) `parse_params`, `parse_ip_config`.
"""

from __future__ import annotations

from pathlib import Path

from fiscotool.chain.files2 import rpc_listen_ip
from fiscotool.chain.ini import edit_file
from fiscotool.chain.plan import ChainPlan, NodePlan
from fiscotool.chain.spec import LOG_LEVEL_DEFAULT


def options2(plan: ChainPlan, binary: Path, scratch: Path) -> list[str]:
    """The options for `plan`. `scratch` is where the script runs, and where the file for -f is left."""
    spec = plan.spec
    options = {
        "-p": f"{spec.ports.p2p},{spec.ports.rpc},{spec.ports.web3}",
        "-e": str(binary),
        "-o": "nodes",
        "-C": spec.chain_id,
        "-v": spec.version,
    }
    if all((group.agency, group.groups) == ("agency", (1,)) and group.ports is None for group in spec.hosts):
        options["-l"] = ",".join(f"{group.address}:{group.node_count}" for group in spec.hosts)
    else:
        (scratch / "ipconf").write_text(ipconf(plan), encoding="utf-8")
        options["-f"] = "ipconf"
    words = [word for pair in options.items() for word in pair]
    if any(":" in group.address for group in spec.hosts):
        words.append("-6")
    return [*words, "-g"] if spec.sm_crypto else words


def ipconf(plan: ChainPlan) -> str:
    """The hosts of `plan` as the script reads them: every line with agency and groups, the last one ended."""
    lines = []
    for group in plan.spec.hosts:
        ports = f" {group.ports.p2p},{group.ports.rpc},{group.ports.web3}" if group.ports is not None else ""
        lines.append(f"{group.address}:{group.node_count} {group.agency} {','.join(map(str, group.groups))}{ports}\n")
    return "".join(lines)


def edit_node2(plan: ChainPlan, node: NodePlan, target: Path) -> None:
    """Write into the script's files what it has no options for."""
    spec = plan.spec
    home = target / node.place
    changes = {("p2p", "listen_ip"): node.listen_ip, ("rpc", "channel_listen_ip"): node.listen_ip}
    if spec.listen_ip:
        changes["rpc", "jsonrpc_listen_ip"] = rpc_listen_ip(plan, node)
    if spec.log_level != LOG_LEVEL_DEFAULT:
        changes["log", "level"] = spec.log_level
    edit_file(home / "config.ini", changes)
    for group in node.groups:
        genesis = {("consensus", "max_trans_num"): str(spec.block_tx_count_limit), ("tx", "gas_limit"): str(spec.gas_limit)}
        edit_file(home / f"conf/group.{group}.genesis", genesis)
        edit_file(home / f"conf/group.{group}.ini", {("consensus", "min_block_generation_time"): str(spec.min_seal_time_ms)})
