"""How long a deployment takes: seconds for 4, 16, 64 and 100 nodes, what each further node costs, and openssl beside it.

Goals: `deploy -l 127.0.0.1:4` within a second, and linear to 100 nodes. What limits it: an RSA-2048 key per node, which is made on
all cores at once; openssl's own speed on one core is printed as the yardstick.

    python bench/provision.py [largest number of nodes, default 100]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1, 4, 16, 64, 100)
OPENSSL_KEYS = 8
RUNS_OF_SMALL = 3
SMALL_NODES = 16


def deploy_s(count: int, root: Path) -> float:
    """Seconds of `count` nodes' deployment inside a running Python, ports not tried; the best of several for small chains."""
    from fiscotool.chain.layout import HostGroup, PortBases
    from fiscotool.chain.plan import plan_chain
    from fiscotool.chain.spec import ChainSpec
    from fiscotool.chain.write import destroy_chain, write_chain

    seconds = []
    for _ in range(RUNS_OF_SMALL if count <= SMALL_NODES else 1):
        began = time.perf_counter()
        chain = write_chain(
            plan_chain(ChainSpec((HostGroup("127.0.0.1", count),), ports=PortBases(41300, 42300, 43300))), root, check_ports=False
        )
        seconds.append(time.perf_counter() - began)
        destroy_chain(chain)
    return min(seconds)


def command_s(root: Path) -> float:
    """Seconds of the whole command for four nodes, Python's start included; the best of three."""
    seconds = []
    for _ in range(RUNS_OF_SMALL):
        began = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "fiscotool",
            "deploy",
            "-l",
            "127.0.0.1:4",
            "-p",
            "41300,42300,43300",
            "-o",
            str(root),
            "--engine",
            "embedded",
        ]
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
        shutil.rmtree(root)
    return min(seconds)


def openssl_key_s() -> float | None:
    """Seconds of one `openssl genrsa 2048`, or None where there is no openssl."""
    if shutil.which("openssl") is None:
        return None
    began = time.perf_counter()
    for _ in range(OPENSSL_KEYS):
        subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True)
    return (time.perf_counter() - began) / OPENSSL_KEYS


def main() -> None:
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else max(SIZES)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "nodes"
        print(f"cores: {os.cpu_count()}")
        print(f"fiscotool deploy -l 127.0.0.1:4, whole command: {command_s(root):.2f} s (goal 1 s)")
        deploy_s(1, root)  # Libraries and templates are loaded once.
        print(f"{'nodes':>6} {'seconds':>8} {'ms/node':>8}")
        for count in (size for size in SIZES if size <= largest):
            seconds = deploy_s(count, root)
            print(f"{count:>6} {seconds:>8.2f} {1000 * seconds / count:>8.1f}")
        key_s = openssl_key_s()
        if key_s is not None:
            print(f"openssl genrsa 2048, one after the other: {1000 * key_s:.1f} ms a key; build_chain.sh runs eight commands of it a node")


if __name__ == "__main__":
    main()
