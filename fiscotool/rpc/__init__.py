"""Speak JSON-RPC to nodes of 3.x and 2.x: typed methods, sans-IO codec and flows, blocking and asyncio transports, TLS, channel.

dialect, detect         the three dialects, and what listens at an address, found out by asking
neutral                 NodeReader: what both generations can be asked in the same words; neutral2, neutral3 translate
client, client2         NodeClient (3.x), NodeClient2 (2.x); any_client: whichever it turns out to be; eth_client: the Ethereum port
typed_client, calls2    what the clients have in common; every 2.x method in 2.x's own terms
flows                   conversations of several calls, without I/O
methods, replies_*      the 32 native methods as data, and what they answer, as frozen dataclasses; methods2, replies2_* for 2.x
codec, members          envelopes and objects as bytes and JSON; pure
refusals, refusing      one exception class an error code, refusals2 those of 2.x; status, status2: transaction statuses
transport, http_session, deadline, tls       HTTP over `requests`, bounded as a whole
channel                 the channel protocol of 2.x: blocks and receipts are pushed
aio                     asyncio: polling many nodes, loading a chain with thousands of transactions at once
"""
