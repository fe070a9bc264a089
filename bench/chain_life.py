"""A chain's life in figures: deploy, start, idle memory, and how long a dead leader costs.

    python bench/chain_life.py [--rounds 5]

Prints medians of several rounds. The yardstick of the leader's death is the protocol itself: the view timer of 3000 ms plus the leader's
min_seal_time; what is above that is ours. `fiscotool --help` is compared with an interpreter that imports click alone, in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from fiscotool.chain.deploy import deploy_chain
from fiscotool.chain.model import Chain
from fiscotool.drills.run import leader_name, top_height
from fiscotool.drills.targets import LocalTarget
from fiscotool.drills.workload import Workload
from fiscotool.nodes import control
from fiscotool.nodes.process import find

PORTS = "27300,27200,27545"
VIEW_TIMEOUT_S = 3.0
MIN_SEAL_TIME_S = 0.5
LOOK_EVERY_S = 0.01


def wait_until(condition: object, within_s: float = 60.0) -> float:
    """Seconds until `condition()` is true."""
    assert callable(condition)
    began_s = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began_s < within_s, "the condition did not come true"
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter() - began_s


def seconds(command: list[str], rounds: int) -> float:
    """Median wall time of a command."""
    taken = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began_s)
    return statistics.median(taken)


def help_time(rounds: int) -> None:
    tool = seconds([sys.executable, "-m", "fiscotool", "--help"], rounds)
    bare = seconds([sys.executable, "-c", "import click"], rounds)
    print(f"fiscotool --help            {1000 * tool:7.0f} ms   {tool / bare:.2f} times `import click`")


def leader_death(chain: Chain) -> float:
    """Kill the leader under load; seconds from the kill to the next block of the others."""
    target = LocalTarget(chain)
    try:
        with Workload(chain, rate_per_s=20):
            began = top_height(target.look())
            wait_until(lambda: top_height(target.look()) >= began + 4)
            name = leader_name(target.look())
            assert name is not None
            target.kill(name)
            killed_s = time.perf_counter()
            # A block that was under way may still come; the first after a gap of a second is the one that the view change brought.
            last_height, last_change_s = top_height(target.look()), time.perf_counter()
            while True:
                height, now_s = top_height(target.look()), time.perf_counter()
                if height > last_height:
                    if now_s - last_change_s > 1.0:
                        break
                    last_height, last_change_s = height, now_s
                assert now_s - killed_s < 60, "no block after the leader's death"
                time.sleep(LOOK_EVERY_S)
            target.start(name)
            wait_until(lambda: all(look.answers and look.timeout is False for look in target.look().values()))
    finally:
        target.close()
    return now_s - killed_s


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    help_time(max(5, rounds))
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.perf_counter()
        chain, _ = deploy_chain(layout="127.0.0.1:4", into=Path(folder) / "nodes", ports=PORTS)
        print(f"deploy 4 nodes              {time.perf_counter() - began_s:7.2f} s")
        try:
            began_s = time.perf_counter()
            control.start(chain.nodes)
            print(f"start until all answer      {time.perf_counter() - began_s:7.2f} s")
            target = LocalTarget(chain)
            wait_until(lambda: all(look.answers and look.timeout is False for look in target.look().values()))
            ready_s = time.perf_counter() - began_s
            print(f"… until consensus is ready  {ready_s:7.2f} s   (the first view change takes {VIEW_TIMEOUT_S:.0f} s by protocol)")
            target.close()
            found = [find(node) for node in chain.nodes]
            rss = [psutil.Process(identity.pid).memory_info().rss / 2**20 for identity in found if identity is not None]
            print(f"memory of an idle node      {max(rss):7.1f} MiB (largest of {len(rss)})")
            deaths = [leader_death(chain) for _ in range(rounds)]
            bound_s = VIEW_TIMEOUT_S + MIN_SEAL_TIME_S
            print(
                f"leader killed → next block  {statistics.median(deaths):7.2f} s   median of {rounds}, worst {max(deaths):.2f} s;"
                f" timeout + min_seal_time = {bound_s:.1f} s"
            )
        finally:
            control.kill(chain.nodes)


if __name__ == "__main__":
    main()
