"""How fast an audit verifies recorded headers of 4 sealers, three signatures each: against a bare loop over coincurve, in one run.

    python bench/ledger_audit.py [FOLDER]     FOLDER: recordings (default: FISCOTOOL_SHARED/recordings or ../shared/recordings)

Prints headers a second a core (CPU time) of `examine` (parse, hash, verify every signature, weigh, name faults) and of two yardsticks:
`recover` is coincurve's recovery of the signer from each signature, `verify` its verification under a key parsed beforehand from
signatures parsed beforehand into libsecp256k1's own form: the curve arithmetic alone. Rounds alternate; the best of each counts, since
a busy machine only ever slows things down. Then the wall-clock rate of one process and of
one a core, beside that of plain arithmetic.

Exit status 1 when `examine` takes more than 1.3 times what `recover` takes, or makes less than 3,000 headers a second a core.
"""

from __future__ import annotations

import json
import lzma
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import coincurve
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from fiscotool.ledger.evidence import examine
from fiscotool.ledger.signatures import _verify_once

ROUNDS = 9
RATIO_MAX = 1.3
HEADERS_PER_S_MIN = 3000.0

Header = dict[str, Any]


def recordings() -> Path:
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("FISCOTOOL_SHARED", beside)) / "recordings"


def headers_of(generation: str, node: int = 0) -> list[Header]:
    """The recorded headers of one node: every block once."""
    with lzma.open(recordings() / generation / "headers_all_nodes.jsonl.xz") as file:
        rows = [json.loads(line) for line in file]
    return [row["response"]["result"] for row in rows if row["node"] == node and row["height"] > 0]


def signed(header: Header) -> list[tuple[bytes, bytes, bytes]]:
    """(hash, signature, key) of every entry."""
    found = []
    for entry in header["signatureList"]:
        index = int(entry["index"], 16) if "index" in entry else entry["sealerIndex"]
        key = bytes.fromhex(header["sealerList"][index].removeprefix("0x"))
        found.append((bytes.fromhex(header["hash"][2:]), bytes.fromhex(entry["signature"][2:]), key))
    return found


def examine_all(headers: list[Header]) -> int:
    _verify_once.cache_clear()
    return sum(len(examine(header).faults) for header in headers)


def bare_recover(signatures: list[tuple[bytes, bytes, bytes]]) -> None:
    for digest, signature, key in signatures:
        assert coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)[1:] == key


def parsed(signatures: list[tuple[bytes, bytes, bytes]]) -> list[tuple[bytes, Any, Any]]:
    keys: dict[bytes, Any] = {}
    found = []
    for digest, signature, key in signatures:
        made = ffi.new("secp256k1_ecdsa_signature *")
        assert lib.secp256k1_ecdsa_signature_parse_compact(GLOBAL_CONTEXT.ctx, made, signature[:64])
        keys.setdefault(key, coincurve.PublicKey(b"\x04" + key).public_key)
        found.append((digest, made, keys[key]))
    return found


def bare_verify(signatures: list[tuple[bytes, Any, Any]]) -> None:
    for digest, signature, key in signatures:
        assert lib.secp256k1_ecdsa_verify(GLOBAL_CONTEXT.ctx, signature, digest, key)


def cpu_s(work: Callable[[], Any]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


_held: list[Header] = []


def load_in_worker() -> None:
    _held.extend(headers_of("v3") + headers_of("v2"))
    examine_all(_held[:50])


def work_in_worker(piece: tuple[int, int]) -> int:
    return examine_all(_held[piece[0] : piece[1]])


def spin_in_worker(count: int) -> int:
    """Arithmetic that waits for nothing: what the machine gives to one process and to several just now."""
    total = 0
    for number in range(count * 250):
        total += number & 3
    return 0 * total


def headers_per_s(pool: ProcessPoolExecutor, count: int) -> float:
    """Wall-clock rate of a pool over all headers, in pieces."""
    pieces = [(start, start + 100) for start in range(0, count, 100)]
    began_s = time.perf_counter()
    assert not sum(pool.map(work_in_worker, pieces))
    return count / (time.perf_counter() - began_s)


def spins_per_s(pool: ProcessPoolExecutor, count: int) -> float:
    began_s = time.perf_counter()
    assert not sum(pool.map(spin_in_worker, [100] * (count // 100)))
    return count / (time.perf_counter() - began_s)


def on_all_cores(count: int) -> None:
    """One process against one a core, alternating, and the same with plain arithmetic: others may use the machine, too."""
    cores = os.cpu_count() or 1
    context = get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context, initializer=load_in_worker) as one,
        ProcessPoolExecutor(cores, mp_context=context, initializer=load_in_worker) as all_of_them,
    ):
        for pool in (one, all_of_them):
            headers_per_s(pool, count)
        rows = [
            (headers_per_s(one, count), headers_per_s(all_of_them, count), spins_per_s(one, count), spins_per_s(all_of_them, count))
            for _ in range(ROUNDS)
        ]
    single, together, spin, spins = (median(column) for column in zip(*rows, strict=True))
    print(
        f"processes, wall clock: {single:.0f} headers/s with one, {together:.0f} with {cores}: {together / single:.2f} times; "
        f"plain arithmetic gains {spins / spin:.2f} times at the same moments"
    )


def main() -> int:
    passed = True
    print(f"{'headers':10} {'examine/s':>10} {'recover/s':>10} {'verify/s':>10} {'to recover':>11} {'to verify':>10} {'signatures':>11}")
    for generation in ("v2", "v3"):
        headers = headers_of(generation)
        signatures = [entry for header in headers for entry in signed(header)]
        ready = parsed(signatures)
        assert examine_all(headers) == 0, "a recorded header does not verify"
        ours, recover, verify = [], [], []
        for _ in range(ROUNDS):
            ours.append(cpu_s(lambda headers=headers: examine_all(headers)))  # type: ignore[misc]
            recover.append(cpu_s(lambda signatures=signatures: bare_recover(signatures)))  # type: ignore[misc]
            verify.append(cpu_s(lambda ready=ready: bare_verify(ready)))  # type: ignore[misc]
        count, best = len(headers), min(ours)
        ratio = best / min(recover)
        passed &= ratio <= RATIO_MAX and count / best >= HEADERS_PER_S_MIN
        print(
            f"{generation:10} {count / best:10.0f} {count / min(recover):10.0f} {count / min(verify):10.0f} "
            f"{ratio:11.2f} {best / min(verify):10.2f} {len(signatures):11}"
        )
    on_all_cores(len(headers_of("v3") + headers_of("v2")))
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
