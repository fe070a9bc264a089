"""Run commands and move files on this machine (later: over SSH) behind one Protocol."""
