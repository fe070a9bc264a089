"""Watch running nodes over RPC and turn what they say into a recording, and a recording into observations."""
