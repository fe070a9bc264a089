"""Say why a chain makes no blocks: look at directory, processes and RPC, conclude, name evidence and remedy."""
