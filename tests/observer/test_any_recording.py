"""Whatever a file holds, loading it ends in observations or in a UsageError; whatever a node tells, recording and reading it works."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fiscotool.errors import UsageError
from fiscotool.observer.blocks import BlockReader, ToldBlock, is_block, words_of
from fiscotool.observer.recording import RecordingWriter, load_recording
from tests.observer.fake_chain import recorded_blocks

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["0x" + "ab" * 32, "0x" + "cd" * 64])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6
)
MEMBERS = st.sampled_from(
    [
        "node",
        "sent_s",
        "got_s",
        "seen_s",
        "at_s",
        "height",
        "view",
        "pid",
        "started",
        "block",
        "words",
        "number",
        "tx_hash",
        "outcome",
        "id",
        "phase",
        "fault",
        "nodes",
        "config",
        "leader_period_blocks",
        "lost_count",
        "text",
    ]
)
LINES = st.builds(
    lambda kind, members: {"kind": kind, **members},
    st.sampled_from(["run", "poll", "block", "tx", "fault", "note", "end", "else"]),
    st.dictionaries(MEMBERS, VALUES, max_size=6),
)


@given(st.lists(LINES, min_size=1, max_size=8), st.binary(max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_lines(lines: list[dict[str, Any]], tail: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + tail)
        with contextlib.suppress(UsageError):
            load_recording(path)


@given(st.sampled_from(sorted(recorded_blocks()[5])), VALUES)
@settings(max_examples=60, deadline=None)
def test_a_block_with_any_value_in_any_member(member: str, value: Any) -> None:
    """It is read; and it hashes to its own hash only if what is hashed did not change."""
    told = recorded_blocks()[5] | {member: value}
    if not is_block(told):
        return
    (block,) = BlockReader().read_all([ToldBlock("node0", 0.0, 1, told, words_of(told))])
    if member not in ("transactions", "signatureList", "hash") and value != recorded_blocks()[5][member]:
        assert block.recomputed_hash != block.block_hash


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
@example({"p2p": "\ud800 an unpaired surrogate"})
@example({"big": 2**70})
@settings(max_examples=60, deadline=None)
def test_whatever_a_node_tells_is_recorded_and_read_again(extra: dict[str, Any]) -> None:
    told = extra | recorded_blocks()[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        with RecordingWriter(path) as writer:
            writer.block("node0", 1.0, told)
            writer.block("node1", 1.0, told)
            writer.end()
        seen = load_recording(path)
    assert [(block.node, block.block_hash == block.recomputed_hash) for block in seen.blocks] == [("node0", True), ("node1", True)]
