"""The embedded node's log is read by the parser of the real node's, with nothing left over, and says what happened."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from fiscotool.observer.logs.clock import zone_from
from fiscotool.observer.logs.collect import Source, read_all
from fiscotool.observer.logs.events import MAIN_KINDS, Kind, LogEvent
from fiscotool.observer.logs.story import Story
from fiscotool.observer.logs.tail import log_files_in
from fiscotool.observer.logs.trace import TraceMaker
from fiscotool.pbft.trace import Act
from tests.devnet.chains import Running, make_chain, running, until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x05" * 32)


def add_block(run: Running, name: str) -> None:
    height = run.height(name)
    tx = build_transaction(
        chain_id="chain0", group_id="group0", block_limit=height + 500, to="11" * 20, input=b"", key=KEY, nonce=secrets.token_hex(8)
    )
    run.post(name, "sendTransaction", "0x" + encode_transaction(tx).hex(), False)
    until(lambda: run.height(name) > height, within_s=30, what="a block")


def sources(run: Running) -> list[Source]:
    return [Source(node.name, log_files_in(node.directory / "log")) for node in run.chain.nodes]


def test_an_embedded_chain_tells_its_life_in_the_real_nodes_words(tmp_path: Path) -> None:
    with running(make_chain(tmp_path / "nodes")) as run:
        until(lambda: len(run.processes) == 4 and run.is_ready(), within_s=40, what="consensus")
        add_block(run, "node0")
        add_block(run, "node1")
        run.kill("node3")
        for _ in range(3):
            add_block(run, "node0")
        run.start("node3")
        until(lambda: run.height("node3") == run.height("node0"), within_s=40, what="node3 to catch up")
        view = run.status("node0")["view"]
        height = run.height("node0")
    found, parsers = read_all(sources(run))
    for parser in parsers.values():
        counts = parser.counts
        assert counts.unknown == {}
        assert counts.event_count + counts.other_count == counts.line_count, "nothing is torn or left over"
    kinds = {event.kind for events in found.values() for event in events}
    assert {Kind.TIMEOUT, Kind.VIEW_ENTERED, Kind.NEW_VIEW_SENT, Kind.SYNCED, Kind.STOPPED, Kind.PREPARE_COUNTED} <= kinds
    entered = [event.view for event in found["node0"] if event.kind is Kind.VIEW_ENTERED]
    assert (entered[-1] or 0) >= view
    assert max(event.height or 0 for event in found["node0"] if event.kind is Kind.REPORT) == height
    story = Story(MAIN_KINDS)
    events = sorted((event for each in found.values() for event in each), key=lambda event: event.at_s)
    blocks = [each.block for each in (*story.add(events), *story.flush()) if each.block is not None]
    assert [block.height for block in blocks] == list(range(1, height + 1))
    assert all(((block.view or 0) + block.height) % 4 == block.proposer for block in blocks)
    check_trace(found["node0"])
    text = Path(sources(run)[0].paths[0]).read_text(encoding="utf-8")
    assert zone_from(text) is not None, "block times tell the zone"


def check_trace(events: list[LogEvent]) -> None:
    maker = TraceMaker("node0")
    records = [*maker.records(events), *maker.flush()]
    sent = [record for record in records if record.act in {Act.SEND_PREPARE, Act.SEND_COMMIT}]
    assert len(sent) >= 4, "on a busy machine some blocks come by sync"
    assert all(record.view is not None and record.digest and record.index is not None for record in sent)
    for act, counted in ((Act.PREPARED, Act.RECEIVE_PREPARE), (Act.STABLE, Act.RECEIVE_CHECKPOINT)):
        for position, record in enumerate(records):
            if record.act is act:
                votes = {each.sender for each in records[:position] if each.act is counted and each.height == record.height}
                assert len(votes) >= 3, record
