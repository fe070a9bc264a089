"""Speak JSON-RPC to nodes: typed methods, sans-IO codec and flows, blocking and asyncio transports, TLS.

client, eth_client      NodeClient and EthClient, for one call after another
flows                   conversations of several calls, without I/O
methods, replies_*      the 32 native methods as data, and what they answer, as frozen dataclasses; eth_replies for the other port
codec, members          envelopes and objects as bytes and JSON; pure
refusals, refusing      one exception class an error code; status: TransactionStatus
transport, http_session, deadline, tls       HTTP over `requests`, bounded as a whole
aio                     asyncio: polling many nodes, loading a chain with thousands of transactions at once
"""
