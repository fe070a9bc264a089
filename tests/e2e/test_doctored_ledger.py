"""A ledger doctored on disk is found: the verdict is no, and it names node, height and evidence."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fiscotool.ledger.header3 import BlockHeader, decode_header, encode_header, hash_header
from tests.e2e.user import User, chain_of
from tests.e2e.verdicts import violated

pytestmark = [pytest.mark.devnet]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("doctored")) as user:
        for _ in range(5):
            user.run("send")
        yield user


def doctor(user: User, node: str, number: int, change: Callable[[BlockHeader], BlockHeader], *, hash_too: bool) -> None:
    """Write another header into the ledger of a stopped node."""
    with sqlite3.connect(user.place / "nodes" / "127.0.0.1" / node / "data" / "ledger.sqlite") as ledger:
        (raw,) = ledger.execute("SELECT header FROM block WHERE number = ?", (number,)).fetchone()
        header = change(decode_header(raw))
        ledger.execute("UPDATE block SET header = ? WHERE number = ?", (encode_header(header), number))
        if hash_too:
            ledger.execute("UPDATE block SET hash = ? WHERE number = ?", (hash_header(header), number))
    ledger.close()


@pytest.mark.parametrize(
    ("node", "change", "hash_too", "rules"),
    [
        pytest.param("node1", lambda header: replace(header, gas_used="1"), False, {"agreement", "certificate"}, id="the header alone"),
        pytest.param(
            "node2",
            lambda header: replace(header, timestamp_ms=header.timestamp_ms + 1),
            True,
            {"agreement", "certificate"},
            id="header and hash",
        ),
    ],
)
def test_a_doctored_ledger_is_found_and_named(
    honest: User, node: str, change: Callable[[BlockHeader], BlockHeader], *, hash_too: bool, rules: set[str]
) -> None:
    number = 2
    honest.run("stop", node)
    original = honest.place / "nodes" / "127.0.0.1" / node / "data" / "ledger.sqlite"
    kept = original.read_bytes()
    doctor(honest, node, number, change, hash_too=hash_too)
    honest.run("start", node)
    recording = f"{node}.jsonl"
    honest.run("observe", "--out", recording, "--for", "1s")
    evidence = violated(honest.run("check", recording, "--json", code=1))
    assert set(evidence) >= rules
    first = evidence[min(rules)][0]
    assert first["height"] == number
    assert node in json.dumps(evidence)
    assert first["lines"], "the evidence names lines of the recording"
    honest.run("stop", node)
    original.write_bytes(kept)
    honest.run("start", node)
    honest.run("observe", "--out", f"{node}-again.jsonl", "--for", "1s")
    honest.run("check", f"{node}-again.jsonl")
