"""Start, stop, kill, pause, restart and inspect node processes."""
