"""Compares answers with recorded ones, member by member and type by type, and knows every place where they may differ and why.

Rule 1. Without a treatment, a value must be equal and of the same type; every member must be there and no other.
Rule 2. A treatment names where (API, method, path of the member) and how: FORMAT compares type and format only (the length of hex, 0x or
        not, decimal or not), TAIL wants the answer's message to end the recorded one's last lines, FREE_ID wants 0 where the real node
        printed uninitialised memory. Each has a row in docs/rpc.md.
Rule 3. A request that is not compared at all is in LEFT_OUT, with its reason. There is no third way: what is in neither list is compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple


class How(Enum):
    FORMAT = "type and format"
    TAIL = "the last lines of a diagnostic text"
    FREE_ID = "0 instead of uninitialised memory"
    TEXT = "any text"


class Difference(NamedTuple):
    path: str
    recorded: Any
    answered: Any


@dataclass(frozen=True)
class Treatment:
    """`method` and `path` are regular expressions for all of the text; `nodes` limits it to answers of these nodes."""

    row: str
    api: str
    method: str
    path: str
    how: How
    not_node: int | None = None

    def fits(self, api: str, method: str, path: str, node: int) -> bool:
        if self.not_node is not None and node == self.not_node:
            return False
        return self.api in {api, "*"} and re.fullmatch(self.method, method) is not None and re.fullmatch(self.path, path) is not None


_BLOCKS = "getBlockBy(Number|Hash)"
_GROUPS = "getGroup(Info|InfoList|NodeInfo)"

TREATMENTS = (
    Treatment("R1", "fisco", ".*", r"\.id", How.FREE_ID),
    Treatment("R2", "*", "sendTransaction|eth_getTransactionByHash", r"\.error\.message", How.TAIL),
    Treatment("R3", "fisco", "getPeers", r"\.result\.p2pNodeID|\.result\.endPoint|\.result\.peers\[\]\.endPoint", How.FORMAT),
    Treatment("R3", "fisco", "getPeers", r"\.result\.peers\[\]\.p2pNodeID", How.TEXT),
    Treatment("R3", "fisco", "getPeers", r"\.result\.peers\[\]\.groupNodeIDInfo.*", How.FORMAT),
    Treatment("R4", "fisco", _GROUPS, r".*\.binaryInfo\.(buildTime|gitCommitHash|platform)", How.TEXT),
    Treatment("R4", "web3", "web3_clientVersion", r"\.result", How.TEXT),
    Treatment("R5", "*", "(eth_)?new.*Filter", r"\.result", How.FORMAT),
    # A node stores the signatures and the time of arrival it saw itself; the blocks replayed here are those of node 0.
    Treatment("R0", "fisco", _BLOCKS, r"\.result\.signatureList\[\]\.(sealerIndex|signature)", How.FORMAT, not_node=0),
    Treatment("R0", "fisco", _BLOCKS + "|getTransaction", r"\.result(\.transactions\[\])?\.importTime", How.FORMAT, not_node=0),
)


class LeftOut(NamedTuple):
    row: str
    api: str
    method: str
    request: str
    reason: str


LEFT_OUT = (
    LeftOut("R6", "web3", "eth_estimateGas", "0x6001600c60003960016000f300", "gas of creation code: the embedded chain runs no code"),
    LeftOut("R6", "fisco", "getCode", "0x0102e8b6fc8cdf9626fddc1c3ea8c1e79b3fce94", "code of a contract: the embedded chain has none"),
    LeftOut("R6", "web3", "eth_getCode", "0x0102e8B6fC8cdF9626fDdC1C3Ea8C1E79b3FCE94", "code of a contract: the embedded chain has none"),
)


def left_out(row: dict[str, Any]) -> LeftOut | None:
    """Why this recorded request is not compared, if it is not."""
    text = row["request"] or ""
    return next((one for one in LEFT_OUT if one.api == row["api"] and f'"{one.method}"' in text and one.request in text), None)


def method_of(row: dict[str, Any]) -> str:
    """The method a request names; an empty text when it names none that can be read."""
    try:
        method = json.loads(row["request"] or "")["method"]
    except (ValueError, KeyError, TypeError):
        return ""
    return method if isinstance(method, str) else ""


def format_of(value: Any) -> str:
    """What can be said of a value without knowing the chain."""
    if not isinstance(value, str):
        return type(value).__name__
    if re.fullmatch(r"0x[0-9a-fA-F]*", value):
        digits = len(value) - 2
        return f"0x and {digits} digits" if digits in {40, 64, 128, 130, 512} else "0x and hex"
    if re.fullmatch(r"[0-9a-f]{40,}", value):
        return f"{len(value)} hex digits"
    if re.fullmatch(r"[0-9]+", value):
        return "decimal"
    return "text" if value else "empty text"


def _embedded(value: Any) -> Any:
    """The JSON inside a text that ends in a newline, as statuses are told; None for anything else."""
    if isinstance(value, str) and value.endswith("}\n"):
        return json.loads(value)
    return None


def differences(recorded: Any, answered: Any, path: str = "") -> Iterator[Difference]:
    """Where two JSON values differ. Paths: .member, [] for an element, # for the JSON inside a text."""
    if type(recorded) is not type(answered):
        yield Difference(path, recorded, answered)
    elif isinstance(recorded, dict):
        for name in sorted(recorded.keys() | answered.keys()):
            if name not in recorded or name not in answered:
                yield Difference(f"{path}.{name}", recorded.get(name, "(absent)"), answered.get(name, "(absent)"))
            else:
                yield from differences(recorded[name], answered[name], f"{path}.{name}")
    elif isinstance(recorded, list):
        if len(recorded) != len(answered):
            yield Difference(f"{path}[count]", len(recorded), len(answered))
        for one, other in zip(recorded, answered, strict=False):
            yield from differences(one, other, f"{path}[]")
    elif _embedded(recorded) is not None and _embedded(answered) is not None:
        yield from differences(_embedded(recorded), _embedded(answered), f"{path}#")
    elif recorded != answered:
        yield Difference(path, recorded, answered)


def is_excused(difference: Difference, treatment: Treatment) -> bool:
    """Whether the difference is no more than its treatment allows."""
    recorded, answered = difference.recorded, difference.answered
    if "(absent)" in (recorded, answered):
        return False
    if treatment.how is How.FREE_ID:
        return type(recorded) is int and type(answered) is int and answered == 0
    if treatment.how is How.TEXT:
        return isinstance(recorded, str) and isinstance(answered, str)
    if treatment.how is How.TAIL:
        return isinstance(answered, str) and "std::exception::what: " in answered and "std::exception::what: " in recorded
    return format_of(recorded) == format_of(answered)


def judge(row: dict[str, Any], answered: Any) -> list[str]:
    """What is wrong with the answer to a recorded request; an empty list when nothing is."""
    method = method_of(row)
    wrong = []
    for difference in differences(row["response"], answered):
        fitting = [one for one in TREATMENTS if one.fits(row["api"], method, difference.path, row["node"])]
        if any(one.how is How.FREE_ID for one in fitting) and row["response"].get("jsonrpc") != "":
            fitting = [one for one in fitting if one.how is not How.FREE_ID]
        if not any(is_excused(difference, one) for one in fitting):
            wrong.append(f"{difference.path}: recorded {difference.recorded!r:.300}, answered {difference.answered!r:.300}")
    return wrong
