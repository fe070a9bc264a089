"""The settings nodes read, by file: whatever else stands in a file is ignored by the node without a word (a misspelled key, for one).

Sources: bcos-tool NodeConfig.cpp, bcos-gateway GatewayConfig.cpp, bcos-utilities BoostLogInitializer.cpp (v3.16.4); libinitializer,
libledger LedgerParam.cpp (v2.11.1); build_chain.sh of both for what they write and nodes take without reading it.
"""

from __future__ import annotations

import re

NUMBERED = re.compile(
    r"(certificate_(black|white)list\.(crl|cal)|(p2p|consensus)\.node|sdk_allowlist\.public_key|flow_control\.(conn|group)_\w*limit_.+|features\..+"
    r"|flow_control\.incoming_module\w*_\d+)(\.?\d+)?.*"
)
"""Settings whose names hold a number, an address or a free name, as section.key."""


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOG = (
    "enable log_path level max_log_file_size enable_console_output enable_rotate_by_hour flush format log_name_pattern"
    " rotate_name_pattern archive_path compress_archive_file max_archive_files max_archive_size min_free_space"
)

_CONFIG_3 = {
    "p2p": _keys(
        "listen_ip listen_port sm_ssl nodes_path nodes_file enable_ssl_verify enable_rip_protocol enable_compression thread_count"
        " allow_max_msg_size readonly session_max_read_data_size session_max_send_data_size session_max_send_msg_count"
        " session_recv_buffer_size ssl_client_verify_mode ssl_server_verify_mode uuid"
    ),
    "rpc": _keys(
        "listen_ip listen_port thread_count sm_ssl enable_ssl disable_ssl return_input_params filter_timeout filter_max_process_block"
        " tars_rpc_host tars_rpc_port tars_rpc_thread_count"
    ),
    "web3_rpc": _keys(
        "enable listen_ip listen_port thread_count request_body_size_limit batch_request_size_limit enable_cors cors_allow_credentials"
        " cors_allowed_origins cors_allowed_methods cors_allowed_headers cors_max_age filter_timeout filter_max_process_block"
        " sync_transaction"
    ),
    "cert": _keys("ca_path ca_cert node_key node_cert multi_ca_path sm_ca_cert sm_node_cert sm_node_key sm_ennode_cert sm_ennode_key"),
    "security": _keys(
        "private_key_path enable_hsm hsm_lib_path key_index password cipher_data_key kms_type cloud_kms_type kms_connection_str"
    ),
    "storage_security": _keys("enable key_center_url cipher_data_key kms_type kms_connection_str"),
    "consensus": _keys("min_seal_time checkpoint_timeout pipeline_size"),
    "executor": _keys(
        "enable_dag baseline_scheduler baseline_scheduler_parallel baseline_scheduler_chunksize baseline_scheduler_maxthread vm_cache_size"
    ),
    "storage": _keys(
        "data_path enable_cache cache_size key_page_size type pd_addrs pd_ssl_ca_path pd_ssl_cert_path pd_ssl_key_path enable_archive"
        " archive_ip archive_port sync_archived_blocks enable_separate_block_state enable_statistics enable_rocksdb_blob block_cache_size"
        " write_buffer_size max_write_buffer_number min_write_buffer_number_to_merge max_background_jobs"
    ),
    "txpool": _keys("limit notify_worker_num verify_worker_num txs_expiration_time check_block_limit enable_txs_from_free_node"),
    "sync": _keys("send_txs_by_tree sync_block_by_tree tree_width allow_free_node"),
    "redis": _keys("server_ip server_port request_timeout connection_pool_size password db"),
    "flow_control": _keys(
        "enable stat_reporter_interval time_window_sec total_outgoing_bw_limit conn_outgoing_bw_limit group_outgoing_bw_limit"
        " modules_without_bw_limit outgoing_allow_exceed_max_permit incoming_p2p_basic_msg_type_list"
        " incoming_p2p_basic_msg_type_qps_limit incoming_module_msg_type_qps_limit enable_distributed_ratelimit"
        " enable_distributed_ratelimit_cache distributed_ratelimit_cache_percent enable_connect_debug_info"
    ),
    "log": _keys(f"{_LOG} enable_rate_collector rotate_time_point"),
    "failover": _keys("enable cluster_url lease_ttl member_id"),
    "service": _keys("executor gateway node_name rpc scheduler tars_proxy_conf txpool without_tars_framework"),
    "others": _keys("send_tx_timeout"),
    "experimental": _keys("check_transaction_signature check_parallel_conflict single_point_consensus force_sender"),
}

_GENESIS_3 = {
    "chain": _keys("sm_crypto group_id chain_id block_limit"),
    "web3": _keys("chain_id"),
    # consensus_timeout is written by build_chain.sh and not read; lint says so where it is not the usual value.
    "consensus": _keys("consensus_type block_tx_count_limit consensus_timeout leader_period epoch_sealer_num epoch_block_num"),
    "version": _keys("compatibility_version"),
    "tx": _keys("gas_limit"),
    "executor": _keys("is_wasm is_auth_check auth_admin_account is_serial_execute version"),
}

_CONFIG_2 = {
    "rpc": _keys(
        "listen_ip channel_listen_ip channel_listen_port jsonrpc_listen_ip jsonrpc_listen_port disable_dynamic_group channel_thread_count"
        " jsonrpc_thread_count act_as_group_member"
    ),
    "p2p": _keys("listen_ip listen_port enable_compress max_nodes_limit peers_param_limit connection_warning"),
    "group": _keys("group_data_path group_config_path"),
    "network_security": _keys("data_path key cert ca_cert check_cert_issuer crypto_provider"),
    "storage_security": _keys("enable key_manager_ip key_manager_port cipher_data_key"),
    "chain": _keys("id sm_crypto sm_crypto_channel rsa_crypto_channel"),
    "compatibility": _keys("supported_version"),
    "log": _keys(f"{_LOG} enable_statistic stat_flush_interval"),
    "flow_control": _keys("limit_req outgoing_bandwidth_limit"),
    "event_filter": _keys("max_block_per_process max_block_range"),
}

_GENESIS_2 = {
    "consensus": _keys("consensus_type max_trans_num consensus_timeout epoch_sealer_num epoch_block_num"),
    "state": _keys("type"),
    "tx": _keys("gas_limit"),
    "group": _keys("id timestamp"),
    "evm": _keys("enable_free_storage"),
}

_GROUP_2 = {
    "consensus": _keys(
        "ttl min_block_generation_time enable_dynamic_block_size block_size_increase_ratio enable_ttl_optimization"
        " enable_prepare_with_txsHash broadcast_prepare_by_tree prepare_status_broadcast_percent max_request_missedTxs_waitTime"
        " max_request_prepare_waitTime min_elect_time max_elect_time"
    ),
    "storage": _keys(
        "type binary_log scroll_threshold_multiple cached_storage max_capacity max_forward_block max_retry topic db_type db_charset db_ip"
        " db_port db_username db_passwd db_name init_connections max_connections enable_reconfirm_committee"
    ),
    "tx_pool": _keys("limit memory_limit notify_worker_num txs_expiration_time"),
    "sync": _keys(
        "max_block_sync_memory_size idle_wait_ms sync_block_by_tree send_txs_by_tree gossip_interval_ms gossip_peers_number"
        " txs_max_gossip_peers_num allow_free_node print_info_interval"
    ),
    "tx_execute": _keys("enable_parallel"),
    "flow_control": _keys("limit_req outgoing_bandwidth_limit"),
    "sdk_allowlist": _keys(""),
}

KNOWN: dict[tuple[int, str], dict[str, frozenset[str]]] = {
    (3, "config.ini"): _CONFIG_3,
    (3, "config.genesis"): _GENESIS_3,
    (2, "config.ini"): _CONFIG_2,
    (2, "genesis"): _GENESIS_2,
    (2, "group.ini"): _GROUP_2,
}
"""(generation, file) → section → keys."""
