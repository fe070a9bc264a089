"""Watch running nodes over RPC and through their logs and turn what they say into a recording, and a recording into observations.

poll, node_watch, questions    ask every node at a fixed rate, and for every new block
recording, loading, lines      write and read recordings (docs/observer.md); blocks: hashes and signatures computed when read
foreign                        timelines of real chains recorded by another observer
live                           the present state of every node, for tables
logs                           nodes' logs as typed events, trace records and a timeline (docs/logs.md)
waits                          wait until something is true of nodes
"""
