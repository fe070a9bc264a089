"""Describe a chain, plan its files, ports and keys, and read or write its directory."""
