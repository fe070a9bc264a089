"""Two Byzantine nodes of four are too many: the chain forks, and the verdict is no, with node, height and evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.user import chain_of, wait_until
from tests.e2e.verdicts import QUICK, observed_under_load, violated

pytestmark = [pytest.mark.devnet]


@pytest.mark.parametrize(
    ("mode", "rules"),
    [
        pytest.param("equivocate", {"agreement", "one-signature"}, id="equivocate"),
        pytest.param("forge-block", {"agreement", "certificate"}, id="forge-block"),
    ],
)
def test_two_byzantine_nodes_are_too_many_and_the_verdict_is_no(tmp_path: Path, mode: str, rules: set[str]) -> None:
    liars, honest = ("node0", "node1"), ("node2", "node3")
    with chain_of(tmp_path, *(f"--byzantine={name}={mode}" for name in liars), *QUICK, whole=False) as user:
        wait_until(lambda: user.is_ready(*honest), within_s=60, what="the honest nodes are ready")

        def differ() -> bool:
            top = min(user.heights())
            return any(
                len({user.block_hash(name, number) for name in ("node0", *honest)}) > 1 for number in range(max(1, top - 1), top + 1)
            )

        name = "seen.jsonl"
        observed_under_load(user, name, until=differ)
        done = user.run("check", name, "--json", code=1)
        evidence = violated(done)
        assert set(evidence) >= rules
        for rule in rules:
            assert evidence[rule][0]["height"] > 0
            assert any(name in evidence[rule][0]["text"] for name in (*liars, *honest))
        text = user.run("check", name, code=1).out
        assert text.startswith("✘ violated\n")
        assert "more than f, nothing is promised" in text
        user.run("report", name, "--out", "paper", code=1)
        assert "failure" in (user.place / "paper" / "junit.xml").read_text(encoding="utf-8")
