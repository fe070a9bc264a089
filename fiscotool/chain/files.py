"""What goes into which file of a chain directory: a plan and its keys rendered to text, nothing written yet.

Sources: the tree of spec 3.x 4.3 and of recordings/v3/deploy/tree.txt.
"""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fiscotool
from fiscotool.chain.certs import ChainKeys, TlsPair
from fiscotool.chain.model import BINARY_NAME
from fiscotool.chain.plan import ChainPlan, NodePlan
from fiscotool.chain.templates import render

PUBLIC, PRIVATE, PROGRAM = 0o644, 0o600, 0o755
_SHEBANG_BYTES_MAX = 127
"""Kernels before 5.1 cut a shebang line at 127 bytes; all of them split it at the first blank."""

START_VALUES: dict[str, object] = {"generation": 3, "arguments": "-c config.ini -g config.genesis"}
CERT_CONF_VALUES: dict[str, object] = {"organization": "FISCO-BCOS", "valid_days": 36500, "v4_ca": "FALSE", "leaf_section": "v4_req"}


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to be written. `path` is relative to the root; `content` is bytes, or the Path of a file to be copied."""

    path: str
    content: bytes | Path
    mode: int = PUBLIC


def render_files(plan: ChainPlan, keys: ChainKeys) -> Iterator[PlannedFile]:
    """Every file of the chain but the manifest, in the order they are written."""
    cert_conf = cert_conf3()
    genesis = render("config.genesis", _genesis_values(plan, keys)).encode()
    peers = render("nodes.json", {"addresses": json.dumps(plan.peer_addresses, separators=(",", ":"))}).encode()
    authority = (
        PlannedFile("ca/ca.key", keys.ca_key, PRIVATE),
        PlannedFile("ca/ca.crt", keys.ca_certificate),
        PlannedFile("ca/cert.cnf", cert_conf),
    )
    yield from authority
    yield PlannedFile("ca/ca.srl", f"{keys.serial}\n".encode())
    account = f"ca/accounts/{keys.admin_address}"
    yield PlannedFile(f"{account}.pem", keys.admin.key, PRIVATE)
    yield PlannedFile(f"{account}.pem.pub", keys.admin.public_pem)
    yield PlannedFile(f"{account}.public.pem", keys.admin.public_pem)
    for place, sdk in zip(plan.host_places, keys.sdk_tls, strict=True):
        yield binary_file(plan, place)
        yield PlannedFile(f"{place}/start_all.sh", render("start_all.sh", {}).encode(), PROGRAM)
        yield PlannedFile(f"{place}/stop_all.sh", render("stop_all.sh", {}).encode(), PROGRAM)
        yield from (PlannedFile(f"{place}/{each.path}", each.content, each.mode) for each in authority)
        yield from _tls_files(f"{place}/sdk", "sdk", sdk, keys, cert_conf)
    for node in plan.nodes:
        yield PlannedFile(f"{node.place}/config.ini", render("config.ini", _config_values(plan, node)).encode())
        yield PlannedFile(f"{node.place}/config.genesis", genesis)
        yield PlannedFile(f"{node.place}/nodes.json", peers)
        yield PlannedFile(f"{node.place}/start.sh", render("start.sh", START_VALUES).encode(), PROGRAM)
        yield PlannedFile(f"{node.place}/stop.sh", render("stop.sh", {}).encode(), PROGRAM)
        yield from _tls_files(f"{node.place}/conf", "ssl", keys.node_tls[node.index], keys, cert_conf)
        signing = keys.nodes[node.index]
        yield PlannedFile(f"{node.place}/conf/node.pem", signing.key, PRIVATE)
        yield PlannedFile(f"{node.place}/conf/node.nodeid", f"{signing.public}\n".encode())


def cert_conf3() -> bytes:
    """cert.cnf, for further certificates."""
    return render("cert.cnf", CERT_CONF_VALUES).encode()


def _tls_files(place: str, kind: str, pair: TlsPair, keys: ChainKeys, cert_conf: bytes) -> Iterator[PlannedFile]:
    yield PlannedFile(f"{place}/ca.crt", keys.ca_certificate)
    yield PlannedFile(f"{place}/{kind}.crt", pair.certificate)
    yield PlannedFile(f"{place}/{kind}.key", pair.key, PRIVATE)
    yield PlannedFile(f"{place}/{kind}.nodeid", f"{pair.p2p_id}\n".encode())
    yield PlannedFile(f"{place}/cert.cnf", cert_conf)


def binary_file(plan: ChainPlan, place: str) -> PlannedFile:
    """The program of a host: a copy of the binary, or the embedded engine."""
    path = f"{place}/{BINARY_NAME}"
    if plan.spec.binary is not None:
        return PlannedFile(path, plan.spec.binary, PROGRAM)
    return PlannedFile(path, embedded_program(plan.spec.version, sys.executable).encode(), PROGRAM)


def embedded_program(version: str, interpreter: str) -> str:
    """The embedded engine's fisco-bcos for this Python. `version` is the chain's compatibility version."""
    values = {
        "shebang": shebang(interpreter),
        "interpreter": repr(interpreter),
        "package_parent": repr(str(Path(fiscotool.__file__).resolve().parents[1])),
        "version": version,
        "tool_version": fiscotool.__version__,
        "python_version": platform.python_version(),
    }
    return render(BINARY_NAME, values)


def shebang(interpreter: str) -> str:
    """First lines of a script that `interpreter` runs, wherever it is installed.

    A path with a blank, or one too long for the kernel, cannot stand behind `#!`. Then /bin/sh starts the script, reads its second
    line as a command and replaces itself with the interpreter; Python reads the same two lines as a string.
    """
    line = f"#!{interpreter}"
    if len(line.encode()) <= _SHEBANG_BYTES_MAX and not any(letter.isspace() for letter in interpreter):
        return line
    return f"#!/bin/sh\n'''exec' {shlex.quote(interpreter)} \"$0\" \"$@\"\n' '''"


def _config_values(plan: ChainPlan, node: NodePlan) -> dict[str, object]:
    spec = plan.spec
    return {
        "listen_ip": node.listen_ip,
        "p2p_port": node.p2p_port,
        "rpc_port": node.rpc_port,
        "web3_port": node.web3_port,
        "rpc_tls": str(spec.rpc_tls).lower(),
        "web3_enabled": str(spec.web3_enabled).lower(),
        "min_seal_time_ms": spec.min_seal_time_ms,
        "pipeline_blocks": spec.pipeline_blocks,
        "checkpoint_timeout_ms": spec.checkpoint_timeout_ms,
        "log_level": spec.log_level,
        "engine": spec.engine,
        "byzantine": node.byzantine,
        "mutant": node.mutant,
        "protocol": spec.protocol,
        "quirks": ",".join(spec.quirks),
        "trace": spec.trace,
    }


def _genesis_values(plan: ChainPlan, keys: ChainKeys) -> dict[str, object]:
    spec = plan.spec
    return {
        "chain_id": spec.chain_id,
        "group_id": spec.group_id,
        "web3_chain_id": spec.web3_chain_id,
        "block_tx_count_limit": spec.block_tx_count_limit,
        "leader_period_blocks": spec.leader_period_blocks,
        "sealers": [(keys.nodes[node.index].public, node.weight) for node in plan.nodes],
        "version": spec.version.removeprefix("v"),
        "tx_gas_limit": spec.gas_limit,
        "admin_account": keys.admin_address,
        "balances": sorted(spec.balances.items()),
    }
