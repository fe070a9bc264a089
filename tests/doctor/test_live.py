"""The doctor at the bed of an embedded chain: faults planted one after the other, each called by its name, and all well at the end.

Reference: spec 3.x 1.12 (the restart that does not heal), 1.15.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.ini import set_values
from fiscotool.chain.layout import HostGroup
from fiscotool.chain.model import Chain, NodeHome
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.doctor.examine import examine
from fiscotool.nodes.control import kill, pause, restart, resume, start
from fiscotool.nodes.process import find
from fiscotool.nodes.signals import send_signal
from tests.devnet.chains import make_chain
from tests.support import forked
from tests.support.until import until

pytestmark = pytest.mark.devnet

VIEWS_ABOVE = 18  # One dead of four: a view more every three blocks, so this is beyond what a restarted node asks for within 15 s.


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    made = make_chain(tmp_path / "nodes", min_seal_time_ms=5)
    yield made
    kill(made.nodes)


class Bedside:
    """A chain and what the doctor says of it."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def node(self, name: str) -> NodeHome:
        node = self.chain.node(name)
        assert node is not None
        return node

    def findings(self) -> dict[str, set[str]]:
        """Id → nodes named."""
        found: dict[str, set[str]] = {}
        for finding in examine(self.chain.root, apart_s=0.3).findings:
            found.setdefault(finding.id, set()).update(finding.nodes)
        return found

    def until(self, *ids: str, within_s: float = 60.0) -> dict[str, set[str]]:
        """The findings, once they have all of `ids`."""
        last: dict[str, set[str]] = {}

        def look() -> bool:
            nonlocal last
            last = self.findings()
            return set(ids) <= set(last)

        try:
            until(look, within_s)
        except AssertionError as problem:
            raise AssertionError(f"{ids}: {problem}; last findings {last}") from problem
        return last

    def command(self, *words: str) -> dict[str, Any]:
        """What the command line prints with --json."""
        done = forked.run([*words, "--dir", str(self.chain.root), "--json"], cwd=self.chain.root, env=os.environ, within_s=60)
        result: dict[str, Any] = json.loads(done.stdout)
        return {**result, "status": done.returncode}

    def send(self, count: int) -> None:
        assert self.command("send", "--count", str(count), "--outstanding", "1")["committed"] == count


def test_the_doctor_follows_a_chain_through_its_illnesses(chain: Chain) -> None:
    bed = Bedside(chain)
    told = bed.command("doctor")
    assert (told["conclusion"]["id"], told["status"]) == ("all-stopped", 1)

    start(chain.nodes)
    assert bed.until("able")["leader-is"]
    assert bed.command("doctor")["status"] == 0

    # Views go up while one is dead and blocks come, so that restarted nodes ask for views the others have long left.
    kill([bed.node("node3")])
    assert bed.findings()["node-crashed"] == {"node3"}
    bed.send(VIEWS_ABOVE)
    start([bed.node("node3")])
    healed = bed.until("able")
    assert "in-timeout" not in healed or healed["in-timeout"] == {"node3"}
    until(lambda: not {"starting", "rejoining", "in-timeout", "node-behind", "restart-stuck"} & set(bed.findings()), 25)

    lost = [bed.node("node0"), bed.node("node1")]
    kill(lost)
    found = bed.findings()
    assert found["quorum-missing"] == found["node-crashed"] == {"node0", "node1"}
    assert "able" not in found

    # Two of four restarted on an idle chain do not come back by themselves; a transaction brings them back.
    start(lost)
    assert bed.until("restart-stuck")["restart-stuck"] == {"node0", "node1"}
    told = bed.command("doctor")
    assert told["conclusion"]["id"] == "restart-stuck"
    assert "fiscotool send" in told["conclusion"]["remedy"]
    bed.send(1)
    until(lambda: not {"starting", "rejoining", "in-timeout", "restart-stuck"} & set(bed.findings()), 25)

    pause([bed.node("node2")])
    assert bed.findings()["node-paused"] == {"node2"}
    resume([bed.node("node2")])

    # A node is not taken for another whose port it has.
    config = bed.node("node3").directory / "config.ini"
    right = config.read_text()
    config.write_text(right.replace(f"listen_port={bed.node('node3').rpc_port}", f"listen_port={bed.node('node2').rpc_port}"))
    assert bed.findings()["node-silent"] == {"node3"}
    assert bed.findings()["port-collision"] == {"node2", "node3"}
    config.write_text(right)

    # Two nodes that have each other on the blacklist are not connected, and lint says why.
    for one, other in (("node0", "node1"), ("node1", "node0")):
        path = bed.node(one).directory / "config.ini"
        path.write_text(set_values(path.read_text(), {("certificate_blacklist", "crl.0"): bed.node(other).p2p_id}))
        identity = find(bed.node(one))
        assert identity is not None
        send_signal(identity, signal.SIGUSR1)
    assert bed.until("links-missing")["blacklisted"] == {"node0", "node1"}


def test_nodes_of_other_chains_in_the_directory(chain: Chain, tmp_path: Path) -> None:
    """One has another chain's certificate, one another genesis: nobody talks to either, and no block can be made."""
    bed = Bedside(chain)
    other = write_chain(plan_chain(ChainSpec((HostGroup("127.0.0.1", 1),))), tmp_path / "other", check_ports=False)
    certified = bed.node("node2").directory / "conf"
    for name in ("ca.crt", "ssl.crt", "ssl.key", "ssl.nodeid"):
        shutil.copy(other.nodes[0].directory / "conf" / name, certified / name)
    genesis = bed.node("node3").directory / "config.genesis"
    genesis.write_text(genesis.read_text().replace("gas_limit=3000000000", "gas_limit=3000000001"))
    start(chain.nodes)
    found = bed.until("links-missing", "ca-differs", "genesis-differs", "tls-trouble")
    assert found["ca-differs"] == {"node2"}
    assert found["genesis-differs"] == {"node3"}
    assert "node2" in found["links-missing"]
    restart([bed.node("node0")])
    assert "forked" in bed.findings() or found["forked"] == {"node3"}
