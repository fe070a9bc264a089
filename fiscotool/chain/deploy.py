"""Everything behind `fiscotool deploy`: the options as typed, checked, decided and carried out.

Nothing is written before all of it is checked: layout, ports, versions, names, engine and binary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fiscotool.chain.binary import EngineChoice, choose_engine
from fiscotool.chain.layout import parse_layout, parse_ports
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import VERSION_DEFAULT, ChainSpec, parse_funds, parse_pairs, parse_version
from fiscotool.chain.wrapper import find_official, run_official
from fiscotool.chain.write import Progress, write_chain


def say_nothing(text: str) -> None:
    """The default of `report`."""
    del text


def deploy_chain(
    *,
    layout: str,
    into: Path,
    ports: str = "30300,20200,8545",
    binary: Path | None = None,
    version: str | None = None,
    chain_id: str = "chain0",
    group_id: str = "group0",
    engine: EngineChoice = "auto",
    byzantine: Sequence[str] = (),
    quirks: Sequence[str] = (),
    funds: Sequence[str] = (),
    rpc_tls: bool = False,
    min_seal_time_ms: int = 500,
    block_tx_count_limit: int = 1000,
    leader_period_blocks: int = 1,
    pipeline_blocks: int = 50,
    report: Callable[[str], None] = say_nothing,
) -> tuple[Chain, str]:
    """Deploy a chain and return it with a sentence about the engine. Raises UsageError, ChainDirectoryError, EnvironmentFailure."""
    hosts = parse_layout(layout)
    bases = parse_ports(ports)
    wanted_version = parse_version(version or VERSION_DEFAULT)
    decision = choose_engine(engine, binary=binary, version=wanted_version)
    spec = ChainSpec(
        hosts=hosts,
        ports=bases,
        chain_id=chain_id,
        group_id=group_id,
        version=wanted_version,
        engine=decision.engine,
        binary=decision.binary,
        rpc_tls=rpc_tls,
        block_tx_count_limit=block_tx_count_limit,
        leader_period_blocks=leader_period_blocks,
        min_seal_time_ms=min_seal_time_ms,
        pipeline_blocks=pipeline_blocks,
        byzantine=parse_pairs("--byzantine", byzantine, example="node3=equivocate"),
        quirks=tuple(dict.fromkeys(name.strip() for entry in quirks for name in entry.split(","))),
        balances=parse_funds(funds),
    )

    def show(progress: Progress) -> None:
        report(f"deploying: {progress.what} ({progress.done}/{progress.total})")

    plan = plan_chain(spec)
    if spec.engine == "embedded":
        return write_chain(plan, into, report=show), decision.why
    official = find_official()
    if official.path is None:
        return write_chain(plan, into, report=show), f"{decision.why}; files made by fiscotool itself: {official.why_not}"
    script = official.path
    report(f"deploying with {script}")
    chain = write_chain(plan, into, report=show, maker=lambda each, target: run_official(each, script, target))
    return chain, f"{decision.why}; files made by {script}"
