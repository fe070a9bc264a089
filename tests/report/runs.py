"""Runs of the paper chain with which reports are tested: good, open, broken, hostile, and long."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from fiscotool.consistency.findings import Judgement
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import Observations
from tests.consistency import synthetic

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{7*7}}&amp;`|*_[a](javascript:alert(1))\n# big"

Run = tuple[Observations, Judgement]


@cache
def good() -> Run:
    """The leader is killed and comes back; nothing is wrong."""
    seen = synthetic.run()
    return seen, judge(seen)


@cache
def open_run() -> Run:
    """Nobody told a block: nothing can be said."""
    seen = replace(synthetic.run(), txs=(), blocks=())
    return seen, judge(seen)


@cache
def broken() -> Run:
    """Two chains at height 40, certificates too thin, a lost transaction, and lines that could not be read."""
    seen = synthetic.run(byzantine={3: "equivocate"})
    blocks = [
        replace(block, block_hash="ab" * 32, recomputed_hash="ab" * 32) if (block.node, block.number) == ("node2", 40) else block
        for block in seen.blocks
    ]
    blocks = [
        replace(block, signatures=block.signatures[:2]) if block.node == "node0" and block.number in {50, 51} else block for block in blocks
    ]
    lost = replace(seen.txs[30], tx_hash="cd" * 32)
    seen = replace(seen, blocks=tuple(blocks), txs=(*seen.txs, lost), problems=("line 17: not JSON", "line 44: cut off"))
    return seen, judge(seen)


@cache
def hostile() -> Run:
    """The broken run, with markup wherever a node or a file can put text."""
    seen, _ = broken()
    names = {node.name: f"{node.name}{HOSTILE}" for node in seen.run.nodes}
    nodes = tuple(
        replace(node, name=names[node.name], host=HOSTILE, directory=HOSTILE, byzantine=node.byzantine and HOSTILE)
        for node in seen.run.nodes
    )
    run = replace(
        seen.run,
        nodes=nodes,
        chain_id=HOSTILE,
        engine=HOSTILE,
        node_version=HOSTILE,
        command=HOSTILE,
        drill=HOSTILE,
        started_wall=HOSTILE,
        config={HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE, 1]}},
    )
    seen = replace(
        seen,
        run=run,
        samples=tuple(replace(each, node=names[each.node], error=each.error and HOSTILE) for each in seen.samples),
        blocks=tuple(replace(each, node=names[each.node]) for each in seen.blocks),
        txs=tuple(replace(each, node=names[each.node], error=HOSTILE) for each in seen.txs),
        faults=tuple(replace(each, node=names[each.node], kind=HOSTILE, role=HOSTILE, detail=HOSTILE) for each in seen.faults),
        problems=(HOSTILE, "\x00\x08\ufffe"),
    )
    return seen, judge(seen)


@cache
def long_run() -> Run:
    """3·10⁴ samples: four nodes polled twenty times a second for seven minutes, three of them killed in turn."""
    faults = tuple(synthetic.Fault("kill", index % 4, 60.0 + 120 * index, 90.0 + 120 * index) for index in range(3))
    seen = synthetic.run(length_s=400.0, faults=faults, rate_per_s=2.0, poll_s=0.05)
    assert len(seen.samples) >= 30_000
    return seen, judge(seen)
