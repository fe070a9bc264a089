"""Loading whatever was recorded: by this tool, or by another observer of real 3.x or 2.x chains (observer.foreign, observer.foreign2).

Rule 1. Which it is, the first lines say: `kind` is ours, `event` a timeline of 3.x, `ev` one of 2.x.
Rule 2. A foreign timeline has no blocks in it. They are taken from headers_all_nodes.jsonl.xz (and blocks_full_node0.jsonl.xz) one
        directory up, as the recordings have them, if they are of the same chain: sealed by nodes of the timeline, which name some of
        their hashes.
"""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import Any, Final

from fiscotool.consistency.observations import BlockSeen, Observations
from fiscotool.observer.foreign import load_headers, load_timeline
from fiscotool.observer.foreign2 import load_headers2, load_timeline2
from fiscotool.observer.loading import load_recording
from fiscotool.rpc.codec import load_json

_FIRST_LINES: Final = 5
_FIRST_LINE_BYTES_MAX: Final = 1 << 20
_HEADERS: Final = "headers_all_nodes.jsonl.xz"
_WHOLE_BLOCKS: Final = "blocks_full_node0.jsonl.xz"


def load_any_recording(path: Path) -> Observations:
    """The observations in the recording or foreign timeline at `path`. Raises UsageError when it is neither."""
    words = _words_of_first_lines(path)
    if "kind" in words or not words & {"ev", "event"}:
        return load_recording(path)
    is_second = "ev" in words
    seen = load_timeline2(path) if is_second else load_timeline(path)
    blocks = _blocks_beside(path, is_second=is_second)
    if not blocks or not _is_of(blocks, seen):
        return seen
    return load_timeline2(path, blocks) if is_second else load_timeline(path, blocks)


def _words_of_first_lines(path: Path) -> set[str]:
    """The members of the first lines; empty for what cannot be read (whose complaint is load_recording's)."""
    opened: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    words: set[str] = set()
    try:
        with opened(path, "rb") as stream:
            for _ in range(_FIRST_LINES):
                try:
                    line = load_json(stream.readline(_FIRST_LINE_BYTES_MAX))
                except ValueError:
                    continue
                words |= set(line) if isinstance(line, dict) else set()
    except (OSError, EOFError, lzma.LZMAError):
        return set()
    return words


def _blocks_beside(path: Path, *, is_second: bool) -> tuple[BlockSeen, ...]:
    folder = path.resolve().parent.parent
    headers, whole = folder / _HEADERS, folder / _WHOLE_BLOCKS
    if not headers.is_file():
        return ()
    load = load_headers2 if is_second else load_headers
    return load(headers, whole if whole.is_file() else None)


def _is_of(blocks: tuple[BlockSeen, ...], seen: Observations) -> bool:
    sealers = {node_id for block in blocks for node_id in block.sealer_list}
    if not sealers <= {node.node_id for node in seen.run.nodes}:
        return False
    named = {sample.block_hash for sample in seen.samples if sample.block_hash is not None and sample.consensus_height}
    return not named or bool(named & {block.block_hash for block in blocks})
