"""Recordings in every state a bad day leaves them in: written by many threads, cut, full of garbage, out of order, told twice."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fiscotool.consistency.observations import Incarnation, NodeIdentity, RunInfo, TxSeen
from fiscotool.errors import EnvironmentFailure, UsageError
from fiscotool.observer.recording import RecordingWriter, load_recording
from tests.observer.fake_chain import recorded_blocks

RUN = RunInfo(
    nodes=(NodeIdentity("node0", "AB" * 64, rpc_port=20200), NodeIdentity("node1", "cd" * 64)),
    chain_id="chain0",
    group_id="group0",
    engine="embedded",
    leader_period_blocks=2,
    config={"consensus_timeout": 3000},
)


def write_run(path: Path) -> None:
    """A small run with one of everything."""
    with RecordingWriter(path) as writer:
        writer.run(RUN)
        writer.poll("node0", 0.1, 0.11, incarnation=Incarnation(42, 17.25), values={"height": 1, "view": 3, "timeout": False})
        writer.poll("node1", 0.1, 0.31, error="timeout")
        for node in ("node0", "node1"):
            for number in (0, 1, 2):
                writer.block(node, 0.2, recorded_blocks()[number])
        writer.tx(TxSeen("0xAB" + "00" * 31, "node0", 0.2, 0.9, 0, "committed", block_number=2, status=0))
        writer.tx(TxSeen("cd" * 32, "node1", 0.3, 1.3, 0, "unknown", error="no answer"))
        writer.fault_planned("f1", "kill", "node1", role="leader", detail="planned")
        writer.fault_injected("f1", detail="pid 7 is gone")
        writer.fault_healed("f1")
        writer.note("a remark")
        writer.end("done")
        writer.end("again")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    write_run(path)
    return path


def add(path: Path, *lines: dict[str, Any] | bytes) -> None:
    with path.open("ab") as stream:
        for line in lines:
            stream.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")


def test_what_was_written_is_what_is_read(path: Path) -> None:
    seen = load_recording(path)
    assert seen.problems == ()
    assert seen.run.nodes[0].node_id == "ab" * 64
    assert (seen.run.nodes[0].rpc_port, seen.run.leader_period_blocks, seen.run.timeout_base_s) == (20200, 2, 3.0)
    assert seen.run.config == {"consensus_timeout": 3000}
    assert seen.run.started_epoch_s is not None
    assert seen.run.started_wall.startswith("20")
    assert [(sample.node, sample.height, sample.error) for sample in seen.samples] == [("node0", 1, ""), ("node1", None, "timeout")]
    assert seen.samples[0].incarnation == Incarnation(42, 17.25)
    assert seen.samples[0].line == 2
    assert len(seen.blocks) == 6
    assert all(block.recomputed_hash == block.block_hash for block in seen.blocks)
    assert all(signature.is_valid for block in seen.blocks for signature in block.signatures)
    assert seen.txs[0].tx_hash == "ab" + "00" * 31
    assert (seen.txs[1].outcome, seen.txs[1].error, seen.txs[1].block_number) == ("unknown", "no answer", None)
    (fault,) = seen.faults
    assert (fault.kind, fault.node, fault.role, fault.confirmed, fault.detail) == (
        "kill",
        "node1",
        "leader",
        True,
        "planned; pid 7 is gone",
    )
    assert fault.healed_s is not None
    assert fault.injected_s <= fault.healed_s
    assert seen.ended_s is not None


def test_a_recording_cut_anywhere_loads_up_to_the_cut(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    whole = load_recording(path)
    cut = tmp_path / "cut.jsonl"
    for size in range(len(data) - 3, data.index(b"\n"), -97):
        cut.write_bytes(data[:size])
        seen = load_recording(cut)
        assert seen.run == whole.run
        assert seen.samples == whole.samples[: len(seen.samples)]
        assert set(seen.blocks) <= set(whole.blocks)
        assert any("no end line" in problem for problem in seen.problems)


def test_lines_out_of_order_and_interleaved_give_the_same_observations(path: Path, tmp_path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(b"".join([*lines[::-2], *lines[-2::-2]]))
    seen, whole = load_recording(mixed), load_recording(path)
    assert seen.problems == ()
    assert seen.run == whole.run
    assert [(fault.fault_id, fault.healed_s) for fault in seen.faults] == [(fault.fault_id, fault.healed_s) for fault in whole.faults]
    assert {(block.node, block.block_hash) for block in seen.blocks} == {(block.node, block.block_hash) for block in whole.blocks}
    assert [sample.sent_s for sample in seen.samples] == sorted(sample.sent_s for sample in seen.samples)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(b"\x00\xff garbage\n", "not JSON", id="garbage"),
        pytest.param(b"[1,2]\n", "no object with a kind", id="a list"),
        pytest.param(b'{"a":1}\n', "no object with a kind", id="no kind"),
        pytest.param({"kind": "weather", "rain": True}, "1 lines of the unknown kind 'weather'", id="unknown kind"),
        pytest.param({"kind": "poll", "node": "node0"}, "sent_s is missing", id="a poll without times"),
        pytest.param({"kind": "poll", "node": "node0", "sent_s": 2, "got_s": 1}, "before the question", id="a poll answered before asked"),
        pytest.param({"kind": "block", "node": "node0", "seen_s": 1}, "neither a block nor a reference", id="a block without one"),
        pytest.param({"kind": "block", "node": "node0", "seen_s": 1, "block": {"number": 1}}, "no number and hash", id="half a block"),
        pytest.param(
            {"kind": "block", "node": "node0", "seen_s": 1, "words": "99", "number": 7}, "block 7 of node0 refers to words", id="lost words"
        ),
        pytest.param(
            {"kind": "tx", "tx_hash": "aa", "sent_s": 1, "got_s": 2, "outcome": "maybe"}, "'maybe' is none of", id="an odd outcome"
        ),
        pytest.param({"kind": "fault", "id": "f9", "phase": "healed", "at_s": 3}, "f9 was never planned", id="a fault out of nowhere"),
        pytest.param({"kind": "fault", "id": "f9", "phase": "later", "at_s": 3}, "'later' is none of", id="an odd phase"),
        pytest.param({"kind": "end"}, "at_s is missing", id="an end without time"),
    ],
)
def test_a_bad_line_is_a_problem_and_nothing_else_changes(path: Path, line: dict[str, Any] | bytes, problem: str) -> None:
    whole = load_recording(path)
    add(path, line)
    seen = load_recording(path)
    assert len(seen.problems) == 1
    assert problem in seen.problems[0]
    assert (seen.samples, seen.blocks, seen.txs, seen.faults) == (whole.samples, whole.blocks, whole.txs, whole.faults)


def test_unknown_members_and_wrong_types_count_as_not_answered(path: Path) -> None:
    add(path, {"kind": "poll", "node": "node0", "sent_s": 5, "got_s": 5.1, "height": "12", "view": True, "timeout": 1, "mood": "good"})
    sample = load_recording(path).samples[-1]
    assert (sample.height, sample.view, sample.timeout) == (None, None, None)


def test_the_same_run_twice_and_another_run(path: Path, tmp_path: Path) -> None:
    first = path.read_bytes().splitlines(keepends=True)[0]
    add(path, first)
    assert "told a second time" in load_recording(path).problems[0]
    other = tmp_path / "other.jsonl"
    write_run(other)
    add(path, other.read_bytes())
    seen = load_recording(path)
    assert any("another run begins here" in problem for problem in seen.problems)
    assert any("lines of another run were left out" in problem for problem in seen.problems)
    assert len(seen.samples) == 2


def test_a_recording_without_its_run_line_still_loads(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    seen = load_recording(path)
    assert [node.name for node in seen.run.nodes] == ["node0", "node1"]
    assert "no run line" in seen.problems[-1]


def test_a_planned_fault_that_was_never_injected_is_told_and_not_confirmed(path: Path) -> None:
    add(path, {"kind": "fault", "id": "f2", "phase": "planned", "fault": "pause", "node": "node0", "at_s": 4.0})
    seen = load_recording(path)
    assert seen.faults[-1].confirmed is False
    assert "nothing says that it was injected" in seen.problems[0]


def test_a_forged_block_shows(path: Path) -> None:
    """A changed field no longer hashes to the told hash, and a changed hash no longer fits the signatures."""
    changed = recorded_blocks()[3] | {"gasUsed": "45"}
    renamed = recorded_blocks()[4] | {"hash": "0x" + "11" * 32}
    broken = recorded_blocks()[5] | {"stateRoot": None}
    add(path, *({"kind": "block", "node": "node0", "seen_s": 9, "block": block} for block in (changed, renamed, broken)))
    by_number = {block.number: block for block in load_recording(path).blocks}
    assert by_number[3].recomputed_hash != by_number[3].block_hash
    assert all(signature.is_valid for signature in by_number[3].signatures)
    assert by_number[4].recomputed_hash != by_number[4].block_hash
    assert not any(signature.is_valid for signature in by_number[4].signatures)
    assert by_number[5].recomputed_hash == ""


def test_a_filler_block_is_signed_by_the_list_before_it(path: Path) -> None:
    """Spec 1.11: the filler of a view change has an empty sealer list."""
    filler = recorded_blocks()[6] | {"sealerList": [], "consensusWeights": []}
    add(path, {"kind": "block", "node": "node0", "seen_s": 9, "block": filler})
    block = load_recording(path).blocks[-1]
    assert block.sealer_list == ()
    assert len(block.signatures) == 3
    assert all(signature.is_valid for signature in block.signatures)


@pytest.mark.parametrize("opener", [gzip.open, lzma.open], ids=["gz", "xz"])
def test_packed_recordings_load(path: Path, tmp_path: Path, opener: Any) -> None:
    packed = tmp_path / f"run.jsonl.{'gz' if opener is gzip.open else 'xz'}"
    with opener(packed, "wb") as stream:
        stream.write(path.read_bytes())
    assert load_recording(packed) == load_recording(path)
    packed.write_bytes(packed.read_bytes()[:-30])
    assert any("ends early" in problem or "no end" in problem for problem in load_recording(packed).problems)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"hello\nworld\n", b"{}\n", b"\x00" * 5000], ids=["empty", "blank", "text", "object", "zeros"]
)
def test_files_that_are_no_recordings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a recording") as caught:
        load_recording(path)
    assert caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            load_recording(path)


def test_a_recording_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not empty"):
        RecordingWriter(path)
    assert path.read_bytes() == before


def test_a_directory_that_cannot_be_written() -> None:
    with pytest.raises(EnvironmentFailure, match="cannot be written"):
        RecordingWriter(Path("/proc/no/run.jsonl"))


def test_a_closed_recording_says_so(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "run.jsonl")
    writer.close()
    writer.close()
    with pytest.raises(UsageError, match="closed"):
        writer.note("too late")


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with RecordingWriter(path) as writer:
        writer.run(RUN)

        def work(node: str) -> None:
            for count in range(300):
                writer.poll(node, count, count + 0.5, values={"height": count})

        threads = [threading.Thread(target=work, args=(f"node{index}",)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.end()
    seen = load_recording(path)
    assert seen.problems == ()
    assert len(seen.samples) == 2400


FULL_DISK = """
import resource, sys
from pathlib import Path
from fiscotool.errors import EnvironmentFailure
from fiscotool.observer.recording import RecordingWriter, load_recording

path = Path(sys.argv[1])
writer = RecordingWriter(path)
writer.note("x" * 100)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, limits[1]))
failures = 0
for _ in range(3):
    try:
        writer.poll("node0", 1.0, 2.0, values={"height": 5})
    except EnvironmentFailure as problem:
        assert "the disk is full" in problem.message, problem.message
        failures += 1
assert failures == 3 == writer.lost_count
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
writer.poll("node1", 3.0, 4.0, values={"height": 6})
writer.end()
seen = load_recording(path)
assert [(s.node, s.height) for s in seen.samples] == [("node1", 6)], seen
print(*seen.problems, sep="\\n")
"""


def test_a_disk_that_fills_and_gets_room_again(tmp_path: Path) -> None:
    """The file-size limit of a process cuts a write in the middle as a full disk does."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "run.jsonl")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "not JSON" in done.stdout, "the torn line"
    assert "3 lines before it could not be written" in done.stdout
