"""Which system configuration keys there are, and which values each may be given.

Rule 1. Numbers are decimal digits without sign, within the key's range. A version only rises, up to that of this program.
Rule 2. A switch (`feature_…`, `bugfix_…`) is known by name and can only be set to "1", never unset.
Rule 3. What this engine could not honour is refused, so that a chain never claims to run what it does not: rPBFT and SM switches
        (a deviation: the real node takes them).

Sources: spec 3.x 3.7; bcos-executor `precompiled/SystemConfigPrecompiled.cpp`; bcos-framework `ledger/SystemConfigs.h`, `Features.h`.
"""

from __future__ import annotations

import re
from typing import Final

from fiscotool.devnet.rpc_features import FEATURE_KEYS

__all__ = ["VERSION_NEWEST", "value_objection"]

VERSION_NEWEST: Final = (3, 16, 4)

_INT64_MAX: Final = 2**63 - 1
_RANGES: Final = {
    "tx_count_limit": (1, _INT64_MAX),
    "consensus_leader_period": (1, _INT64_MAX),
    "tx_gas_limit": (100_000, _INT64_MAX),
    "auth_check_status": (0, 1),
    "web3_chain_id": (0, 2**32 - 1),
    "balance_transfer": (0, 1),
    "executor_version": (0, 1),
}
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_HEX_PRICE: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_VERSION: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?")


def _version(text: str) -> tuple[int, int, int] | None:
    match = _VERSION.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))


def value_objection(key: str, value: str, current: str) -> str:
    """Why `key` must not be set to `value`, or an empty text. `current` is its value now, empty when it has none."""
    if key in _RANGES:
        low, high = _RANGES[key]
        if not _DIGITS.fullmatch(value) or not low <= int(value) <= high:
            return f"Invalid value {value} ,the value for {key} must be a number from {low} to {high}"
        return ""
    if key == "tx_gas_price":
        return "" if _HEX_PRICE.fullmatch(value) else f"Invalid value {value} ,the value for {key} must be a hex number with 0x"
    if key == "compatibility_version":
        return _version_objection(value, current)
    if key.startswith("feature_rpbft"):
        return f"{key}: the embedded engine has no rPBFT"
    if key in FEATURE_KEYS:
        return "" if value == "1" else f"Invalid value {value} ,the value for {key} must be 1"
    return f"unsupported key {key}"


def _version_objection(value: str, current: str) -> str:
    wanted = _version(value)
    if wanted is None:
        return f"Invalid value {value} ,the value for compatibility_version must be like 3.16.0"
    if wanted < (_version(current) or (0, 0, 0)):
        return f"Invalid value {value} ,the compatibility_version {current} cannot be lowered"
    if wanted > VERSION_NEWEST:
        newest = ".".join(map(str, VERSION_NEWEST))
        return f"Invalid value {value} ,the highest version this node can run is {newest}"
    return ""
