"""One Byzantine node of four is borne, however it misbehaves: every invariant holds, and the report names the node."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.user import User, chain_of, wait_until
from tests.e2e.verdicts import QUICK, observed_under_load

pytestmark = [pytest.mark.devnet]

MODES = ("equivocate", "forge-block", "double-sign", "drop-commits", "lie-height")
HONEST = ("node0", "node1", "node2")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("one"), "--byzantine", f"node3={MODES[0]}", *QUICK, whole=False) as found:
        wait_until(lambda: found.is_ready(*HONEST), within_s=60, what="the honest nodes are ready")
        yield found


def misbehave(user: User, mode: str) -> None:
    """Let node3 misbehave in this way from now on."""
    path = user.place / "nodes" / "127.0.0.1" / "node3" / "config.ini"
    text = path.read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^(\s*byzantine=).*$", rf"\g<1>{mode}", text)
    if changed != text:
        path.write_text(changed, encoding="utf-8")
        user.run("restart", "node3")


@pytest.mark.parametrize("mode", MODES)
def test_one_byzantine_node_is_borne_and_named(user: User, mode: str) -> None:
    misbehave(user, mode)
    began = min(user.heights(*HONEST))
    name = f"{mode}.jsonl"
    observed_under_load(user, name, until=lambda: min(user.heights(*HONEST)) >= began + 8)
    done = user.run("check", name)
    assert "✔ holds" in done.out
    assert f"Byzantine: node3 ({mode}); within f, the others are judged" in done.out
    judged = user.run("check", name, "--json").json
    assert judged["byzantine"] == {"node3": mode}
    found = {finding["invariant"]["id"]: finding for finding in judged["findings"]}
    assert found["agreement"]["verdict"] == found["certificate"]["verdict"] == "holds"
    user.run("report", name, "--out", mode)
    assert mode in (user.place / mode / "report.html").read_text(encoding="utf-8")
    if mode == "forge-block":
        assert "Seen of node3, declared Byzantine" in found["agreement"]["summary"]
        assert "Seen of node3, declared Byzantine" in found["certificate"]["summary"]
