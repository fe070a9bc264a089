"""Names a node of this release tells in getGroupInfo: the switches it knows and the configuration keys it supports.

Source: recordings rpc/read_methods_genesis.jsonl.xz (getGroupNodeInfo), in the order they are told.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FEATURE_KEYS", "SERVICES", "SUPPORTED_CONFIGS"]

FEATURE_KEYS: Final = (
    "bugfix_revert",
    "bugfix_statestorage_hash",
    "bugfix_evm_create2_delegatecall_staticcall_codecopy",
    "bugfix_event_log_order",
    "bugfix_call_noaddr_return",
    "bugfix_precompiled_codehash",
    "bugfix_dmc_revert",
    "bugfix_keypage_system_entry_hash",
    "bugfix_internal_create_redundant_storage",
    "bugfix_internal_create_permission_denied",
    "bugfix_sharding_call_in_child_executive",
    "bugfix_empty_abi_reset",
    "bugfix_eip55_addr",
    "bugfix_eoa_as_contract",
    "bugfix_eoa_match_failed",
    "bugfix_evm_exception_gas_used",
    "bugfix_dmc_deploy_gas_used",
    "bugfix_staticcall_noaddr_return",
    "bugfix_support_transfer_receive_fallback",
    "bugfix_set_row_with_dirty_flag",
    "bugfix_rpbft_vrf_blocknumber_input",
    "bugfix_delete_account_code",
    "bugfix_policy1_empty_code_address",
    "bugfix_precompiled_gasused",
    "bugfix_nonce_not_increase_when_revert",
    "bugfix_set_contract_nonce_when_create",
    "bugfix_precompiled_gascalc",
    "bugfix_method_auth_sender",
    "bugfix_precompiled_evm_status",
    "bugfix_delegatecall_transfer",
    "bugfix_nonce_initialize",
    "bugfix_v1_timestamp",
    "bugfix_revert_logs",
    "feature_dmc2serial",
    "feature_sharding",
    "feature_rpbft",
    "feature_paillier",
    "feature_balance",
    "feature_balance_precompiled",
    "feature_balance_policy1",
    "feature_paillier_add_raw",
    "feature_evm_cancun",
    "feature_evm_timestamp",
    "feature_evm_address",
    "feature_rpbft_term_weight",
    "feature_raw_address",
    "feature_rpbft_vrf_type_secp256k1",
    "feature_balance_policy2",
)

SUPPORTED_CONFIGS: Final = (
    "tx_gas_limit",
    "tx_gas_price",
    "tx_count_limit",
    "consensus_leader_period",
    "auth_check_status",
    "compatibility_version",
    "feature_rpbft",
    "feature_rpbft_epoch_block_num",
    "feature_rpbft_epoch_sealer_num",
    "feature_rpbft_notify_rotate",
    "feature_balance_precompiled",
    "web3_chain_id",
    "balance_transfer",
    "executor_version",
)

SERVICES: Final = (
    ("LedgerServiceObj", 2),
    ("SchedulerServiceObj", 3),
    ("FrontServiceObj", 4),
    ("", 6),
    ("", 7),
    ("TxPoolServiceObj", 8),
)
