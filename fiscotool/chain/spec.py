"""What the user wants: a ChainSpec, checked as a whole before anything is planned.

Every rule of the real node that a wrong value would break only at start is checked here (NodeConfig.cpp, spec 3.x 4.6 and 4.7), with
the option's name and the allowed range in the message. Pure: no file is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from fiscotool.chain.layout import HostGroup, PortBases
from fiscotool.chain.misbehaviour import BYZANTINE_MODES
from fiscotool.chain.model import Generation
from fiscotool.errors import UsageError
from fiscotool.pbft.rules import Quirk

PROTOCOLS = ("fisco3", "fisco2", "classic")
"""Which PBFT the embedded nodes run: the names of `pbft.dialects.DIALECTS`, told here so that nothing heavy is imported for them."""

PROTOCOL_DEFAULT = "fisco3"

WIRE_QUIRKS = ("type-unsigned", "empty-sync-unchecked", "f3-hash-not-recomputed")
"""Holes of 3.16.4 outside the core that the embedded node can reproduce, beside those of `pbft.rules.Quirk`."""

VERSION_DEFAULT = "3.16.0"
"""compatibility_version that build_chain.sh of release 3.16.4 writes by default."""

VERSION_2_DEFAULT = "2.9.1"
"""supported_version of an embedded chain that runs fisco2, where nothing else is asked for."""

LOG_LEVEL_DEFAULT = "info"
PIPELINE_DEFAULT_BLOCKS = 50
CHECKPOINT_TIMEOUT_DEFAULT_MS = 3000
"""What the node uses where config.ini says nothing (NodeConfig.cpp)."""

_IDENTIFIER = re.compile(r"[a-zA-Z0-9._-]+")
_VERSION = re.compile(r"([23])\.(\d{1,2})\.(\d{1,2})")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NEWEST = {2: (11, 1), 3: (16, 4)}
_MIN_SEAL_TIME_MS = (1, 600_000)
_PIPELINE_FISCO_MIN_BLOCKS = 50
_CHECKPOINT_TIMEOUT_MIN_MS = 3000
_GAS_LIMIT_MIN = 100_000
_UINT32_MAX = 2**32 - 1
_INT64_MAX = 2**63 - 1
_UINT256_MAX = 2**256 - 1


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """A chain to be deployed. Defaults are build_chain.sh's, but for `rpc_tls` and `web3_enabled` (docs: chain.plan.DIFFERENCES).

    `weights` is empty (all 1) or one per node, in the order of the layout; `byzantine` maps node names (node3, or 10.0.0.1/node3 where
    there are several hosts) to a mode; `mutants` likewise, or `all`, to a planted bug;
    `quirks` are names of `pbft.rules.Quirk` or WIRE_QUIRKS; `trace` makes embedded nodes write down every step;
    `balances` maps addresses to wei in block 0 of the embedded engine; `protocol` is which PBFT the embedded engine runs (PROTOCOLS);
    `sm_crypto` is national cryptography, which only the official script can provide. `listen_ip` empty means: a loopback host's own
    address, every interface on other hosts.
    `tx_gas_limit` None means build_chain.sh's.
    """

    hosts: tuple[HostGroup, ...]
    ports: PortBases = field(default_factory=PortBases)
    chain_id: str = "chain0"
    group_id: str = "group0"
    version: str = VERSION_DEFAULT
    engine: Literal["embedded", "fisco"] = "embedded"
    binary: Path | None = None
    rpc_tls: bool = False
    web3_enabled: bool = True
    web3_chain_id: int = 20200
    listen_ip: str = ""
    block_tx_count_limit: int = 1000
    leader_period_blocks: int = 1
    min_seal_time_ms: int = 500
    pipeline_blocks: int = PIPELINE_DEFAULT_BLOCKS
    checkpoint_timeout_ms: int = CHECKPOINT_TIMEOUT_DEFAULT_MS
    tx_gas_limit: int | None = None
    log_level: str = LOG_LEVEL_DEFAULT
    weights: tuple[int, ...] = ()
    byzantine: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mutants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    quirks: tuple[str, ...] = ()
    trace: bool = False
    balances: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    sm_crypto: bool = False
    protocol: str = PROTOCOL_DEFAULT

    @property
    def generation(self) -> Generation:
        """2 or 3, by the version."""
        return 2 if self.version.removeprefix("v").startswith("2.") else 3

    @property
    def gas_limit(self) -> int:
        """`tx_gas_limit`, or what build_chain.sh of the generation writes."""
        if self.tx_gas_limit is not None:
            return self.tx_gas_limit
        return 300_000_000 if self.generation == 2 else 3_000_000_000  # noqa: PLR2004 - FISCO BCOS 2

    @property
    def rsa_channel(self) -> bool:
        """Whether SDKs of a 2.x chain show RSA certificates: since 2.9.0 (build_chain.sh `main`)."""
        return version_key(self.version) >= (2, 9, 0)

    @property
    def node_count(self) -> int:
        """Nodes on all hosts together."""
        return sum(group.node_count for group in self.hosts)


def parse_version(text: str) -> str:
    """`-v 3.16.0` or `-v v2.9.1` as the chain's files want it. Raises UsageError."""
    version = text.strip().removeprefix("v")
    match = _VERSION.fullmatch(version)
    hint = "for example -v v3.16.0 or -v 2.9.1; versions 3.0.0 to 3.16.4 and 2.0.0 to 2.11.1 are known"
    if match is None:
        raise UsageError(f"-v {text!r} is not a version of FISCO BCOS 2 or 3", hint=hint)
    if (int(match[2]), int(match[3])) > _NEWEST[int(match[1])]:
        raise UsageError(f"-v {text!r} is newer than any version this tool knows", hint=hint)
    return version


def version_key(version: str) -> tuple[int, ...]:
    """A version for comparing: "3.10.0" is newer than "3.9.0"."""
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def parse_pairs(option: str, entries: Iterable[str], *, example: str) -> dict[str, str]:
    """`name=value` of an option that may be given several times or hold commas. Raises UsageError on anything else or on a name twice."""
    pairs: dict[str, str] = {}
    for entry in (part.strip() for text in entries for part in text.split(",")):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not name or not value:
            raise UsageError(f"{option} {entry!r} is not name=value", hint=f"for example {option} {example}")
        if name in pairs:
            raise UsageError(f"{option}: {name!r} is given twice", hint="give each name once")
        pairs[name] = value
    return pairs


def parse_funds(entries: Iterable[str]) -> dict[str, int]:
    """`--fund address=wei`: addresses in lower case with 0x. Raises UsageError."""
    example = "0x00000000000000000000000000000000000000aa=1000000000000000000"
    funds: dict[str, int] = {}
    for name, value in parse_pairs("--fund", entries, example=example).items():
        address = name.lower() if name.lower().startswith("0x") else f"0x{name.lower()}"
        if not _ADDRESS.fullmatch(address):
            raise UsageError(f"--fund: {name!r} is not an address of 40 hex digits", hint=f"for example --fund {example}")
        if address in funds:
            raise UsageError(f"--fund: {address} is given twice", hint="give each address once")
        if not value.isascii() or not value.isdigit() or int(value) > _UINT256_MAX:
            raise UsageError(f"--fund: {value!r} is not an amount of wei below 2^256", hint=f"for example --fund {example}")
        funds[address] = int(value)
    return funds


def check_spec(spec: ChainSpec, node_names: tuple[str, ...]) -> None:
    """Raise UsageError for the first thing in `spec` that no node would run with. `node_names` are the names planned for it."""
    parse_version(spec.version)
    if spec.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
        _check_generation_2(spec)
    for option, text in (("-I (chain id)", spec.chain_id), ("-g (group id)", spec.group_id)):
        if not _IDENTIFIER.fullmatch(text):
            raise UsageError(
                f"{option}: {text!r} may only hold letters, digits, dot, dash and underscore", hint="for example -I chain0 -g group0"
            )
    _check_ranges(spec)
    if spec.weights and len(spec.weights) != len(node_names):
        raise UsageError(
            f"{len(spec.weights)} weights for {len(node_names)} nodes", hint="give one weight per node, in the order of -l, or none"
        )
    for weight in spec.weights:
        _between("a node's weight", weight, 1, _INT64_MAX)
    for name, mode in spec.byzantine.items():
        if name not in node_names:
            raise UsageError(f"--byzantine: there is no {name!r} in this chain", hint=f"its nodes are {', '.join(node_names[:8])}")
        if mode not in BYZANTINE_MODES:
            raise UsageError(f"--byzantine: {mode!r} is not a known misbehaviour", hint=f"one of {', '.join(BYZANTINE_MODES)}")
    _check_mutants(spec, node_names)
    known = [quirk.value for quirk in Quirk] + list(WIRE_QUIRKS)
    for quirk in spec.quirks:
        if quirk not in known:
            raise UsageError(f"--quirk: {quirk!r} is not known", hint=f"one of {', '.join(known)}")
    _check_engine(spec)


def _check_mutants(spec: ChainSpec, node_names: Sequence[str]) -> None:
    for name, given in spec.mutants.items():
        from fiscotool.mutants.registry import mutant_named

        if name not in (*node_names, "all"):
            raise UsageError(f"--mutant: there is no {name!r} in this chain", hint=f"all, or one of {', '.join(node_names[:8])}")
        mutant = mutant_named(given)
        if mutant is None or mutant.dialect != spec.protocol:
            raise UsageError(f"--mutant: {given!r} is no mutant of {spec.protocol}", hint="docs/mutants.md lists them")


def _check_generation_2(spec: ChainSpec) -> None:
    """What FISCO BCOS 2 has not, or has otherwise."""
    for option, text in (("-I (chain id)", spec.chain_id), ("-g (group id)", spec.group_id)):
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise UsageError(f"{option}: in FISCO BCOS 2 it is a number from 1, not {text!r}", hint="for example -I 1 -g 1")
    fixed = {
        "--rpc-tls": spec.rpc_tls,
        "--leader-period": spec.leader_period_blocks != 1,
        "--pipeline": spec.pipeline_blocks != PIPELINE_DEFAULT_BLOCKS,
        "--fund": bool(spec.balances),
        "weights": any(weight != 1 for weight in spec.weights),
        "checkpoint_timeout": spec.checkpoint_timeout_ms != CHECKPOINT_TIMEOUT_DEFAULT_MS,
    }
    for option, is_given in fixed.items():
        if is_given:
            raise UsageError(f"{option} is for FISCO BCOS 3: 2.x has no such setting", hint=f"drop {option}")


def _check_ranges(spec: ChainSpec) -> None:
    _between("block_tx_count_limit", spec.block_tx_count_limit, 1, _INT64_MAX)
    _between("leader_period", spec.leader_period_blocks, 1, _INT64_MAX)
    _between("min_seal_time (ms)", spec.min_seal_time_ms, *_MIN_SEAL_TIME_MS)
    _between("gas_limit", spec.gas_limit, _GAS_LIMIT_MIN + 1, _INT64_MAX)
    _between("web3 chain id", spec.web3_chain_id, 0, _UINT32_MAX)
    if spec.log_level not in {"trace", "debug", "info", "warning", "error", "fatal"}:
        raise UsageError(f"log level {spec.log_level!r} is not known", hint="one of trace, debug, info, warning, error, fatal")
    fisco = spec.engine == "fisco"
    _between("pipeline_size (blocks)", spec.pipeline_blocks, _PIPELINE_FISCO_MIN_BLOCKS if fisco else 1, _INT64_MAX)
    _between("checkpoint_timeout (ms)", spec.checkpoint_timeout_ms, _CHECKPOINT_TIMEOUT_MIN_MS, _INT64_MAX)
    for address, wei in spec.balances.items():
        if not _ADDRESS.fullmatch(address):
            raise UsageError(f"--fund: {address!r} is not 0x and 40 hex digits", hint="write the whole address")
        _between(f"--fund {address} (wei)", wei, 0, _UINT256_MAX)


def _check_engine(spec: ChainSpec) -> None:
    if spec.protocol not in PROTOCOLS:
        raise UsageError(f"--protocol: {spec.protocol!r} is not known", hint=f"one of {', '.join(PROTOCOLS)}")
    if spec.engine == "embedded" and (spec.protocol == "fisco2") != (spec.generation == 2):  # noqa: PLR2004 - FISCO BCOS 2
        raise UsageError(
            f"--protocol {spec.protocol} and version {spec.version} do not go together",
            hint="fisco2 is the protocol of FISCO BCOS 2.x, fisco3 and classic run on blocks of 3.x: leave -v out, or --protocol",
        )
    if spec.engine == "fisco":
        if spec.binary is None:
            raise UsageError("engine fisco needs a fisco-bcos binary", hint="give it with -e, or use --engine embedded")
        options = (
            ("--byzantine", spec.byzantine),
            ("--quirk", spec.quirks),
            ("--mutant", spec.mutants),
            ("--fund", spec.balances),
            ("--trace", spec.trace),
        )
        for option, given in options:
            if given:
                raise UsageError(
                    f"{option} is for the embedded engine only: a real node has no such switch", hint="drop it, or use --engine embedded"
                )
    elif spec.binary is not None:
        raise UsageError("engine embedded runs no fisco-bcos binary, and -e gives one", hint="drop -e, or use --engine fisco")


def _between(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{what} is {value}, outside {low} to {high}", hint="correct the option")
