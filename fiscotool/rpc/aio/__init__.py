"""JSON-RPC without threads: connections on an asyncio loop, for polling many nodes and for loading a chain.

connection   one keep-alive HTTP connection, one exchange at a time, callbacks instead of tasks
link         a pool of connections to one node with awaitable calls
plan         what a load is: transactions, pace, bounds; and what came of it
load         drives thousands of outstanding sendTransaction calls
confirm      what became of transactions that a pool has taken (2.x, Ethereum): read off the blocks
"""
