"""Which commands there are, without importing them: `fiscotool --help` has to be quick.

Rule. The short help here is the first sentence of the command's docstring (tests/cli/test_registry.py compares them).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, and what the overview says of it."""

    module: str
    attribute: str
    help: str


COMMANDS: dict[str, Entry] = {
    "deploy": Entry("chain", "deploy", "Make a chain: keys, certificates, configuration, scripts."),
    "binary": Entry("binary", "binary", "Keep fisco-bcos binaries: list, add, fetch a release, say where one is."),
    "lint": Entry("doctor", "lint", "Look for mistakes in a chain's directory: identities, ports, genesis, certificates, settings."),
    "doctor": Entry("doctor", "doctor", "Say why a chain makes no blocks: everything lint sees, and what the nodes do now."),
    "start": Entry("node", "start", "Start nodes and wait until their RPC answers."),
    "stop": Entry("node", "stop", "Stop nodes cleanly (SIGTERM)."),
    "restart": Entry("node", "restart", "Stop nodes, then start them."),
    "kill": Entry("node", "kill", "Kill nodes the hard way (SIGKILL), as a crash would."),
    "pause": Entry("node", "pause", "Freeze nodes (SIGSTOP): alive, connected and silent."),
    "resume": Entry("node", "resume", "Let frozen nodes go on (SIGCONT)."),
    "status": Entry("status", "status", "Show every node: process, height, view, leader, peers."),
    "watch": Entry("status", "watch", "Show all nodes live, until Ctrl-C."),
    "query": Entry("query", "query", "Ask a node one thing: view, height, consensus, block N, …."),
    "rpc": Entry("query", "rpc", "Call any JSON-RPC method of a node and print its answer."),
    "logs": Entry("node", "logs", "Show the nodes' logs."),
    "events": Entry("events", "events", "Tell what the nodes' logs say as one timeline: proposals, quorums, time-outs, view changes."),
    "send": Entry("send", "send", "Send signed transactions and say what became of each."),
    "observe": Entry("observe", "observe", "Record what all nodes say, for `check` and `report`."),
    "drill": Entry("drill", "drill", "Break the chain on purpose, heal it, record what happened."),
    "check": Entry("check", "check", "Judge a recording, what nodes' logs tell, or their full traces: does it show what PBFT allows?"),
    "audit": Entry("audit", "audit", "Verify a chain's whole evidence from RPC alone."),
    "report": Entry("check", "report", "Write the consistency report of a recording."),
    "simulate": Entry("simulate", "simulate", "Run whole chains in virtual time, with faults drawn from a seed."),
    "compare-protocols": Entry("compare", "compare_protocols", "Compare what protocols cost: messages, bytes, signatures, time."),
    "model": Entry("model", "model", "Explore every schedule of a protocol within bounds."),
    "destroy": Entry("chain", "destroy", "Remove a chain that deploy made, after asking."),
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which a newcomer needs them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None when there is none of this name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"fiscotool.cli.{entry.module}"), entry.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"fiscotool.cli.{entry.module}.{entry.attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, from the table, without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])
