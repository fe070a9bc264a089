"""System contracts of FISCO BCOS 2.x: addresses as a transaction names them, and the methods used here.

Source: spec 2.x 3.4; libprecompiled/*Precompiled.cpp.
"""

from __future__ import annotations

from typing import Final


def _address(number: int) -> str:
    return f"0x{number:040x}"


SYSTEM_CONFIG2: Final = _address(0x1000)
CONSENSUS2: Final = _address(0x1003)
DAG_TRANSFER2: Final = _address(0x5002)

PRECOMPILED2: Final = {
    **{_address(0x1000 + number): name for number, name in enumerate(
        ("SystemConfig", "TableFactory", "CRUD", "Consensus", "CNS", "Permission", "ParallelConfig", "ContractLifeCycle", "ChainGovernance",
         "GasChargeManage"))},
    _address(0x1010): "KVTableFactory",
    _address(0x1011): "WorkingSealerManager",
    _address(0x5002): "DagTransfer",
    _address(0x5003): "Paillier",
    _address(0x5004): "GroupSig",
    _address(0x5005): "RingSig",
    _address(0x5006): "Crypto",
}  # fmt: skip
"""Names by address."""

METHODS2: Final[dict[str, tuple[str, ...]]] = {
    SYSTEM_CONFIG2: ("setValueByKey(string,string)",),
    CONSENSUS2: ("addSealer(string)", "addObserver(string)", "remove(string)"),
    DAG_TRANSFER2: (
        "userAdd(string,uint256)",
        "userSave(string,uint256)",
        "userDraw(string,uint256)",
        "userTransfer(string,string,uint256)",
        "userBalance(string)",
    ),
}
"""Methods by address, those the embedded engine knows."""
