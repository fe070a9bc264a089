"""One Byzantine node of four is borne: every invariant holds, and the report names the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.user import chain_of, wait_until
from tests.e2e.verdicts import QUICK, observed_under_load

pytestmark = [pytest.mark.devnet]

MODES = ("equivocate", "forge-block", "double-sign", "drop-commits", "lie-height")


@pytest.mark.parametrize("mode", MODES)
def test_one_byzantine_node_is_borne_and_named(tmp_path: Path, mode: str) -> None:
    honest = ("node0", "node1", "node2")
    with chain_of(tmp_path, "--byzantine", f"node3={mode}", *QUICK, whole=False) as user:
        wait_until(lambda: user.is_ready(*honest), within_s=20, what="the honest nodes are ready")
        path = observed_under_load(user, until=lambda: min(user.heights(*honest)) >= 8)
        done = user.run("check", path.name)
        assert "✔ holds" in done.out
        assert f"Byzantine: node3 ({mode}); within f, the others are judged" in done.out
        judged = user.run("check", path.name, "--json").json
        assert judged["byzantine"] == {"node3": mode}
        found = {finding["invariant"]["id"]: finding for finding in judged["findings"]}
        assert found["agreement"]["verdict"] == found["certificate"]["verdict"] == "holds"
        user.run("report", path.name, "--out", "paper")
        assert mode in (user.place / "paper" / "report.html").read_text(encoding="utf-8")
        if mode == "forge-block":
            assert "Seen of node3, declared Byzantine" in found["agreement"]["summary"]
            assert "Seen of node3, declared Byzantine" in found["certificate"]["summary"]
