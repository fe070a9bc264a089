"""The channel protocol of 2.x nodes, port 20200: TLS with the sdk's certificates, frames, and what the node pushes by itself.

frames       bytes into frames and back; pure
words        what is in the frames: handshake, heartbeat, topics, block and transaction notices; pure
link         one connection on an asyncio loop: handshake, heartbeat, calls, notices
follow       stays connected and subscribed: new blocks as they come, through restarts of the node
client       the same for threads; a Transport, so that rpc.client2 works over it as over HTTP

3.x has a WebSocket with frames of another shape on its RPC port. Its header is documented (spec 3.x 2.1), the payloads of its handshake
and of its notices are not, and none was recorded: it is not spoken here. New blocks of 3.x nodes are polled.

Sources: spec 2.x 2.4.
"""
