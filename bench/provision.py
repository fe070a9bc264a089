"""How long a deployment takes: our own provisioner against the official build_chain.sh, in one run on the same machine.

Goals: `deploy -l 127.0.0.1:4` within a second; at least 4 times as fast as the script at 4 nodes and 8 times at 32; linear beyond.
What limits it: an RSA-2048 key per node, per host and per authority. Such keys are made on all cores at once; what one costs here and
how near the deployment comes to `keys · cost / cores` is printed. The runs of both makers are interleaved, the best of each counts; on
a machine that does other work the ratio of processor times is the steadier one (it leaves out that ours uses all cores).

    FISCOTOOL_BUILD_CHAIN=<script of 3.x> FISCOTOOL_BUILD_CHAIN_2=<script of 2.x> python bench/provision.py [--quick]

Without the scripts only our own figures are printed. The node's program is a stub that prints a version line.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SIZES = (4, 32)
GOALS = {4: 4.0, 32: 8.0}
RUNS = {4: 5, 32: 2}
LARGE = (64, 100)
KEYS_MEASURED = 24
PORTS = "21300,22300,23300"
LINES = {2: "FISCO-BCOS Version : 2.9.1", 3: "FISCO BCOS Version : 3.16.4"}
SCRIPTS = {2: "FISCOTOOL_BUILD_CHAIN_2", 3: "FISCOTOOL_BUILD_CHAIN"}


def stub(place: Path, generation: int) -> Path:
    """A program that satisfies the script's check of the version."""
    path = place / f"stub{generation}" / "fisco-bcos"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\necho '{LINES[generation]}'\n")
    path.chmod(0o755)
    return path


def deploy_s(maker: str, count: int, binary: Path, root: Path) -> tuple[float, float]:
    """Seconds of one deployment inside a running Python, and seconds of processor time of all it started. Ports are not tried."""
    from fiscotool.chain.deploy import prepare
    from fiscotool.chain.wrapper import run_official
    from fiscotool.chain.write import write_chain

    began, cpu_began = time.perf_counter(), cpu_s()
    deployment = prepare(layout=f"127.0.0.1:{count}", into=root, ports=PORTS, binary=binary, maker=maker)
    script = deployment.script
    if script is None:
        write_chain(deployment.plan, root, check_ports=False)
    else:
        write_chain(deployment.plan, root, check_ports=False, maker=lambda plan, target: run_official(plan, script, target))
    seconds, cpu = time.perf_counter() - began, cpu_s() - cpu_began
    shutil.rmtree(root)
    return seconds, cpu


def cpu_s() -> float:
    """Processor time of this process and of its children that have ended."""
    told = os.times()
    return told.user + told.system + told.children_user + told.children_system


def command_s(root: Path) -> float:
    """Seconds of the whole command for four embedded nodes, Python's start included; the best of three."""
    words = [sys.executable, "-m", "fiscotool", "deploy", "-l", "127.0.0.1:4", "-p", PORTS, "-o", str(root), "--engine", "embedded"]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
        shutil.rmtree(root)
    return min(seconds)


def key_s() -> tuple[float, float]:
    """Mean seconds of an RSA-2048 key: one after the other, and with all cores at once (per key of the whole)."""
    from fiscotool.chain.certs import rsa_key

    alone = []
    for _ in range(KEYS_MEASURED):
        began = time.perf_counter()
        rsa_key()
        alone.append(time.perf_counter() - began)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: rsa_key(), range(KEYS_MEASURED * 2)))
        together = (time.perf_counter() - began) / (KEYS_MEASURED * 2)
    return statistics.mean(alone), together


def compare(generation: int, count: int, binary: Path, root: Path, per_key_s: float) -> str:
    """A line of the table: both makers' best, the ratio with its goal, and how near to the limit ours is."""
    makers = ("native", "official") if os.environ.get(SCRIPTS[generation]) else ("native",)
    runs: dict[str, list[tuple[float, float]]] = {maker: [] for maker in makers}
    for _ in range(RUNS.get(count, 1)):
        for maker in makers:
            runs[maker].append(deploy_s(maker, count, binary, root))
    best = {maker: min(found) for maker, found in runs.items()}
    keys = count + 2  # A certificate for every node and for the host's sdk, and the authority.
    limit = keys * per_key_s
    native_s, native_cpu_s = best["native"]
    told = f"{generation}.x {count:>5} {native_s:>9.2f} {limit:>8.2f} {limit / native_s:>7.0%}"
    if "official" not in best:
        return f"{told}   the script is not here (set {SCRIPTS[generation]})"
    official_s, official_cpu_s = best["official"]
    ratio = official_s / native_s
    verdict = "" if count not in GOALS else f" (goal {GOALS[count]:g}: {'met' if ratio >= GOALS[count] else 'NOT met'})"
    return f"{told} {official_s:>9.2f} {ratio:>7.1f} {official_cpu_s / native_cpu_s:>9.1f}{verdict}"


def main() -> None:
    """Print everything."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "nodes"
        print(f"cores: {os.cpu_count()}")
        print(f"fiscotool deploy -l 127.0.0.1:4, whole command: {command_s(root):.2f} s (goal 1 s)")
        alone, together = key_s()
        print(f"RSA-2048: {1000 * alone:.0f} ms a key alone, {1000 * together:.0f} ms a key on all cores at once")
        binaries = {generation: stub(Path(place), generation) for generation in LINES}
        deploy_s("native", 1, binaries[3], root)  # Libraries and templates are loaded once.
        print(f"{'':3} {'nodes':>5} {'native s':>9} {'limit s':>8} {'of it':>7} {'script s':>9} {'ratio':>7} {'cpu ratio':>9}")
        for generation, binary in binaries.items():
            for count in SIZES:
                print(compare(generation, count, binary, root, together), flush=True)
        if "--quick" not in sys.argv:
            for count in LARGE:
                seconds, _ = deploy_s("native", count, binaries[3], root)
                print(f"3.x {count:>5} {seconds:>9.2f} {(count + 2) * together:>8.2f} {(count + 2) * together / seconds:>7.0%}", flush=True)


if __name__ == "__main__":
    main()
