"""Run the reference core as real processes with real sockets and disks on this machine: the embedded chain."""
