"""Small chains for tests: made by the real provisioner, run as real processes, always stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fiscotool.chain.layout import PortBases, parse_layout
from fiscotool.chain.model import Chain, NodeHome
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.check.replay import replay_chain
from fiscotool.observer.step_traces import read_traces
from tests.support.ports import free_ports


def make_chain(root: Path, count: int = 4, **spec: Any) -> Chain:
    """A chain of `count` nodes in `root` on free ports; keywords are fields of ChainSpec."""
    first = free_ports(3 * count)[0]
    ports = PortBases(p2p=first, rpc=first + count, web3=first + 2 * count)
    plan = plan_chain(replace(ChainSpec(hosts=parse_layout(f"127.0.0.1:{count}"), ports=ports), **spec))
    return write_chain(plan, root)


def until(condition: Callable[[], Any], *, within_s: float, what: str) -> Any:
    """Poll `condition` until it gives something true; fail with `what` when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)


def alarms(chain: Chain) -> list[str]:
    """What the judge of full traces has against the chain (made with `trace=True`) so far: nothing, if its honest nodes are right."""
    verdict = replay_chain(read_traces([chain.root]))
    assert verdict.counters["steps"] > 0
    return [finding.sentence for finding in verdict.findings]


class Running:
    """The processes of a chain, by node name."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def node(self, name: str) -> NodeHome:
        return next(node for node in self.chain.nodes if node.name == name)

    def start(self, *names: str) -> None:
        for name in names or [node.name for node in self.chain.nodes]:
            home = self.node(name)
            with (home.directory / "nohup.out").open("ab") as out:
                command = [sys.executable, "-c", "import sys; from fiscotool.devnet.main import main; sys.exit(main(sys.argv[1:]))"]
                self.processes[name] = subprocess.Popen(
                    [*command, *home.arguments], cwd=home.directory, stdout=out, stderr=subprocess.STDOUT
                )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.processes[name].pid, number)

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; exit codes."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
                process.terminate()
        codes = {}
        for name, process in self.processes.items():
            try:
                codes[name] = process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait(10)
        self.processes.clear()
        return codes

    def call(self, name: str, method: str, *params: Any, within_s: float = 5.0) -> Any:
        """Result of a native RPC call (2.x: in group 1). Raises OSError when the node does not answer, AssertionError on an RPC error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.node(name).rpc_port, timeout=within_s)
        group: list[Any] = [1] if self.chain.generation == 2 else ["group0", ""]
        try:
            body = json.dumps({"jsonrpc": "2.0", "method": method, "params": [*group, *params], "id": 1})
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert "result" in answer, answer
        return answer["result"]

    def ask(self, name: str, method: str, *params: Any) -> Any:
        """Like call, or None when the node does not answer (yet)."""
        try:
            return self.call(name, method, *params)
        except (OSError, http.client.HTTPException):
            return None

    def post(self, name: str, method: str, *params: Any) -> None:
        """Send a call and do not wait for its answer."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.call(name, method, *params, within_s=0.2)

    def height(self, name: str) -> int:
        number = self.ask(name, "getBlockNumber")
        return -1 if number is None else int(number)

    def status(self, name: str) -> dict[str, Any]:
        text = self.ask(name, "getConsensusStatus")
        return {} if text is None else dict(json.loads(text))

    def is_ready(self, *names: str) -> bool:
        return all(self.status(name).get("timeout") is False for name in names or self.processes)

    def log_text(self, name: str) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted((self.node(name).directory / "log").glob("*.log")))

    def out_text(self, name: str) -> str:
        return (self.node(name).directory / "nohup.out").read_text(errors="replace")


@contextlib.contextmanager
def running(chain: Chain, *names: str) -> Iterator[Running]:
    """The chain's nodes as processes; all of them are gone afterwards."""
    run = Running(chain)
    try:
        run.start(*names)
        yield run
    finally:
        run.stop()
