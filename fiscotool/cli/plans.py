"""What `deploy` shows beside the chain it made: the plan of --dry-run, an expansion, and what lint has to say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiscotool.cli.options import DEFAULT_DIRECTORY
from fiscotool.cli.output import Output, table

if TYPE_CHECKING:
    from fiscotool.chain.deploy import Deployment
    from fiscotool.chain.expand import Expansion
    from fiscotool.chain.model import Chain


def dir_words(chain: Chain) -> str:
    """` --dir DIR`, where the chain is not in the default directory."""
    root = chain.root.resolve()
    if root == DEFAULT_DIRECTORY.resolve():
        return ""
    return f" --dir {root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root}"


def plan_facts(deployment: Deployment) -> dict[str, Any]:
    """A deployment that was not carried out, as data."""
    spec = deployment.plan.spec
    return {
        "root": deployment.into,
        "exists": os.path.lexists(deployment.into),
        "engine": spec.engine,
        "protocol": spec.protocol,
        "version": spec.version,
        "chain_id": spec.chain_id,
        "group_id": spec.group_id,
        "binary": spec.binary,
        "official_script": deployment.script,
        "flags": deployment.flags,
        "why": deployment.why,
        "hosts": deployment.plan.host_places,
        "nodes": [
            {"name": node.name, "directory": node.place, "ports": dict(node.ports), "agency": node.agency, "groups": node.groups}
            for node in deployment.plan.nodes
        ],
    }


def plan_text(deployment: Deployment) -> str:
    """A deployment that was not carried out, for people."""
    plan = deployment.plan
    rows = [
        (node.name, f"{deployment.into / node.place}", *(port for _, port in node.ports), node.agency, ",".join(map(str, node.groups)))
        for node in plan.nodes
    ]
    ports = tuple(role for role, _ in plan.nodes[0].ports)
    is_2 = plan.spec.generation == 2  # noqa: PLR2004 - FISCO BCOS 2
    shown = rows if is_2 else [row[:-2] for row in rows]
    head = [
        f"would make {deployment.into}: {len(plan.nodes)} nodes on {len(plan.host_places)} hosts",
        f"version {plan.spec.version}, chain {plan.spec.chain_id}, group {plan.spec.group_id}",
        deployment.why,
        *([f"passed on: {' '.join(deployment.flags)}"] if deployment.flags else []),
        *([f"note: {deployment.into} exists, so deploy would refuse"] if os.path.lexists(deployment.into) else []),
    ]
    return "\n".join([*head, "", table(("node", "directory", *ports, *(("agency", "groups") if is_2 else ())), shown)])


def expansion_facts(expansion: Expansion) -> dict[str, Any]:
    """An expansion that was not carried out, as data."""
    return {
        "root": expansion.chain.root,
        "authority": expansion.authority,
        "nodes": [{"name": seat.name, "directory": seat.directory, "ports": dict(seat.ports)} for seat in expansion.seats],
    }


def expansion_text(expansion: Expansion) -> str:
    """An expansion that was not carried out, for people."""
    rows = [(seat.name, seat.directory, *(port for _, port in seat.ports)) for seat in expansion.seats]
    head = f"would add {len(rows)} nodes to {expansion.chain.root}, with certificates of {expansion.authority}"
    return f"{head}\n\n" + table(("node", "directory", *(role for role, _ in expansion.seats[0].ports)), rows)


def show_lint(chain: Chain, output: Output) -> None:
    """What lint finds in a directory that was just made or changed, on stderr; notes are left to `fiscotool lint`."""
    from fiscotool.chain.findings import Severity
    from fiscotool.chain.lint import lint_directory
    from fiscotool.cli.doctor import as_text

    findings = [finding for finding in lint_directory(chain.root) if finding.severity > Severity.NOTE]
    if findings:
        output.say(as_text(findings, "en"))
