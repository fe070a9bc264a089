"""The mutant in an embedded chain: real processes, keys, sockets and disks, under a short drill, recorded.

    deploy nodes with the mutant → load → something happens (`acts`) → load → stop

The recording (polls and headers) is judged by `consistency.judge`, as that of a real chain would be; the nodes' logs and the full traces
of their cores by `check`. None of them is told that there is a mutant; all are told who was deployed to lie.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fiscotool.chain.layout import PortBases, parse_layout
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import VERSION_DEFAULT, ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.drills.session import Session
from fiscotool.errors import FiscoToolError
from fiscotool.mutants.mutant import Mutant
from fiscotool.nodes import control
from fiscotool.trials.acts import START_S, Stage, perform
from fiscotool.trials.drill import Drill

VERSION_2 = "2.9.1"


def spec_of(mutant: Mutant | None, drill: Drill, first_port: int, dialect: str = "fisco3") -> ChainSpec:
    """The chain of a trial."""
    n = drill.nodes
    dialect = dialect if mutant is None else mutant.dialect
    is_2 = dialect == "fisco2"
    mutants = {} if mutant is None else dict.fromkeys(drill.only or ("all",), mutant.name)
    return ChainSpec(
        hosts=parse_layout(f"127.0.0.1:{n}"),
        ports=PortBases(p2p=first_port, rpc=first_port + n, web3=first_port + 2 * n),
        byzantine={f"node{n - 1 - k}": drill.byzantine for k in range(drill.liars)} if drill.byzantine else {},
        mutants=mutants,
        protocol=dialect,
        version=VERSION_2 if is_2 else VERSION_DEFAULT,
        chain_id="1" if is_2 else "chain0",
        group_id="1" if is_2 else "group0",
        leader_period_blocks=drill.period_blocks,
        trace=True,
    )


@contextlib.contextmanager
def running(chain: Chain) -> Iterator[Chain]:
    """The chain's nodes run inside; they are killed afterwards whatever happened."""
    try:
        control.start(chain.nodes, wait_s=START_S)
        yield chain
    finally:
        with contextlib.suppress(FiscoToolError):
            control.kill(chain.nodes)


def record(mutant: Mutant | None, drill: Drill, place: Path, first_port: int, *, dialect: str = "fisco3") -> Chain:
    """Deploy into `place`, drill, and leave the recording `run.jsonl` and the nodes' logs there.

    Raises FiscoToolError when the chain cannot be started at all.
    """
    chain = write_chain(plan_chain(spec_of(mutant, drill, first_port, dialect)), place / "nodes")
    with (
        running(chain),
        Session(chain, place / "run.jsonl", every_s=0.2, command="trial", first_height=0) as session,
        contextlib.suppress(FiscoToolError),
    ):
        perform(Stage(chain, drill, session))
    return chain


@contextlib.contextmanager
def trial_directory(name: str) -> Iterator[Path]:
    """A directory of its own for one run, gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix=f"fiscotool-trial-{name}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
