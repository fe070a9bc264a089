"""Speak JSON-RPC to nodes: typed methods, sans-IO codec, transports, TLS."""
