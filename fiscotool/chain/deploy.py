"""Everything behind `fiscotool deploy`: the options as typed, checked, decided (`prepare`) and carried out (`deploy_chain`).

Nothing is written before all of it is checked: layout, ports, versions, names, engine, binary, and who makes the files.

    --maker auto       the official build_chain.sh where it can be had and can do it, else our own provisioner, and a sentence says why
    --maker official   build_chain.sh, or an error
    --maker native     our own provisioner
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fiscotool.chain.binary import EngineChoice, choose_engine
from fiscotool.chain.layout import HostGroup, parse_ipconf, parse_layout, parse_ports
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import ChainPlan, plan_chain
from fiscotool.chain.spec import PROTOCOL_DEFAULT, ChainSpec, parse_funds, parse_pairs
from fiscotool.chain.wrapper import find_official, missing_tools, run_official
from fiscotool.chain.write import Progress, write_chain
from fiscotool.errors import EnvironmentFailure, UsageError

MakerChoice = Literal["auto", "official", "native"]

_IDS = {2: ("1", "1"), 3: ("chain0", "group0")}
_OWN_FLAGS = {2: "-l -f -o -p -e -v -C -g -h -q", 3: "-l -o -p -e -v -I -g -C -s -c -d -h -V"}
_OWN_WORDS = "fiscotool deploy has options of its own for -l -f -o -p -e -v -I -g and -s"


def say_nothing(text: str) -> None:
    """The default of `report`."""
    del text


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that was checked and not carried out yet. `script` is the official one where it makes the files.

    `why` says in a sentence what runs in the nodes and who makes their files. `flags` go to the script as they are.
    """

    plan: ChainPlan
    into: Path
    script: Path | None
    why: str
    flags: tuple[str, ...] = ()


def deploy_chain(*, report: Callable[[str], None] = say_nothing, **options: object) -> tuple[Chain, str]:
    """Deploy a chain with the options of `prepare` and return it with a sentence about engine and maker.

    Raises UsageError, ChainDirectoryError, EnvironmentFailure.
    """
    return carry_out(prepare(**options), report=report)  # type: ignore[arg-type]


def carry_out(deployment: Deployment, *, report: Callable[[str], None] = say_nothing) -> tuple[Chain, str]:
    """Make the files. Raises ChainDirectoryError, EnvironmentFailure; then nothing is left."""

    def show(progress: Progress) -> None:
        report(f"deploying: {progress.what} ({progress.done}/{progress.total})")

    script = deployment.script
    if script is None:
        return write_chain(deployment.plan, deployment.into, report=show), deployment.why
    report(f"deploying with {script}")

    def official(plan: ChainPlan, target: Path) -> None:
        run_official(plan, script, target, flags=deployment.flags)

    return write_chain(deployment.plan, deployment.into, report=show, maker=official), deployment.why


def prepare(
    *,
    into: Path,
    layout: str | None = None,
    ipconf: Path | None = None,
    ports: str = "30300,20200,8545",
    binary: Path | None = None,
    version: str | None = None,
    chain_id: str | None = None,
    group_id: str | None = None,
    engine: EngineChoice = "auto",
    maker: MakerChoice = "auto",
    sm_crypto: bool = False,
    flags: Sequence[str] = (),
    byzantine: Sequence[str] = (),
    quirks: Sequence[str] = (),
    mutants: Sequence[str] = (),
    trace: bool = False,
    funds: Sequence[str] = (),
    rpc_tls: bool = False,
    min_seal_time_ms: int = 500,
    block_tx_count_limit: int = 1000,
    leader_period_blocks: int = 1,
    pipeline_blocks: int = 50,
    protocol: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Deployment:
    """Check and decide everything of a deployment; nothing is written. Raises UsageError and EnvironmentFailure."""
    hosts = _hosts(layout, ipconf)
    bases = parse_ports(ports)
    decision = choose_engine(engine, binary=binary, version=version, protocol=protocol, environ=environ)
    generation = 2 if decision.version.startswith("2.") else 3
    chain_default, group_default = _IDS[generation]
    spec = ChainSpec(
        hosts=hosts,
        ports=bases,
        chain_id=chain_default if chain_id is None else chain_id,
        group_id=group_default if group_id is None else group_id,
        version=decision.version,
        engine=decision.engine,
        binary=decision.binary,
        rpc_tls=rpc_tls,
        block_tx_count_limit=block_tx_count_limit,
        leader_period_blocks=leader_period_blocks,
        min_seal_time_ms=min_seal_time_ms,
        pipeline_blocks=pipeline_blocks,
        byzantine=parse_pairs("--byzantine", byzantine, example="node3=equivocate"),
        mutants=parse_pairs("--mutant", mutants, example="node0=M1"),
        trace=trace,
        quirks=tuple(dict.fromkeys(name.strip() for entry in quirks for name in entry.split(","))),
        balances=parse_funds(funds),
        sm_crypto=sm_crypto,
        protocol=protocol or ("fisco2" if generation == 2 else PROTOCOL_DEFAULT),  # noqa: PLR2004 - FISCO BCOS 2
    )
    if generation == 2 and group_id is not None and spec.group_id.isdigit():  # noqa: PLR2004 - FISCO BCOS 2
        spec = _in_group(spec, int(spec.group_id), ipconf)
    plan = plan_chain(spec)
    _check_flags(flags, generation)
    script, made_by = _choose_maker(plan, maker, flags, environ)
    return Deployment(plan, into, script, f"{decision.why}{made_by}", tuple(flags))


def _hosts(layout: str | None, ipconf: Path | None) -> tuple[HostGroup, ...]:
    if (layout is None) == (ipconf is None):
        raise UsageError("say which hosts: with -l, or with a file of them and -f", hint="for example -l 127.0.0.1:4")
    if ipconf is None:
        return parse_layout(layout or "")
    try:
        text = ipconf.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            f"-f {ipconf} cannot be read: {problem}", hint="name a file with a line a host: 127.0.0.1:4 agencyA 1"
        ) from problem
    return parse_ipconf(text, str(ipconf))


def _in_group(spec: ChainSpec, group: int, ipconf: Path | None) -> ChainSpec:
    """-g of a 2.x chain: the group all nodes are in. A file of hosts says it line by line."""
    from dataclasses import replace

    if ipconf is not None:
        raise UsageError("-g and -f exclude each other for FISCO BCOS 2", hint="write the groups into the file: ip:n agency 1,2")
    return replace(spec, hosts=tuple(replace(host, groups=(group,)) for host in spec.hosts))


def _check_flags(flags: Sequence[str], generation: int) -> None:
    own = _OWN_FLAGS[generation].split()
    for flag in flags:
        if flag[:2] in own:
            raise UsageError(f"{flag} behind -- would contradict deploy's own options", hint=_OWN_WORDS)


def _choose_maker(plan: ChainPlan, maker: MakerChoice, flags: Sequence[str], environ: Mapping[str, str]) -> tuple[Path | None, str]:
    """The official script, where it is to make the files, and how the sentence about the engine goes on."""
    spec = plan.spec
    needed = "national cryptography (-s)" if spec.sm_crypto else f"passing on {' '.join(flags)}" if flags else ""
    if spec.engine == "embedded":
        if needed or maker == "official":
            raise UsageError(
                f"{needed or '--maker official'} needs build_chain.sh, and that a real node", hint="give a fisco-bcos binary with -e"
            )
        return None, ""
    if maker == "native":
        if needed:
            raise UsageError(f"{needed} is done by build_chain.sh only", hint="leave --maker native out")
        return None, "; files made by fiscotool itself, as asked (--maker native)"
    why_not = _why_not_official(plan)
    if not why_not:
        official = find_official(spec.generation, environ)
        if official.path is not None:
            _require_tools(plan, environ)
            return official.path, f"; files made by {official.path}"
        why_not = official.why_not
    if needed or maker == "official":
        raise EnvironmentFailure(
            f"{needed or '--maker official'} needs the official build_chain.sh: {why_not}",
            hint="see: scripts/build_chain_wrapper.sh -h; or leave the option out, and the files are made here",
        )
    return None, f"; files made by fiscotool itself: {why_not}"


def _why_not_official(plan: ChainPlan) -> str:
    """What in the plan build_chain.sh of its generation cannot do; empty for nothing."""
    hosts = [group.address for group in plan.spec.hosts]
    if plan.spec.generation == 3 and (len(set(hosts)) < len(hosts) or any(group.ports for group in plan.spec.hosts)):  # noqa: PLR2004
        return "build_chain.sh of FISCO BCOS 3 knows no file of hosts"
    return ""


def _require_tools(plan: ChainPlan, environ: Mapping[str, str]) -> None:
    missing = missing_tools(plan, environ)
    if missing:
        raise EnvironmentFailure(
            f"national cryptography needs {' and '.join(map(str, missing))}, which build_chain.sh would download and run unverified",
            hint="put them there yourself: TASSL of github.com/FISCO-BCOS/TASSL, get_gm_account.sh of github.com/FISCO-BCOS/console",
        )
