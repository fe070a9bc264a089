"""Many cores in one thread, against a seeded, faulty world in virtual time.

    cluster.Cluster     the world: replicas, their disks, their ledgers, the clock
    network.Network     delay, loss, duplication, partitions
    adversary           what a Byzantine replica does with the messages a correct one would send
    faults              a seeded schedule of crashes, restarts and partitions that spares a quorum in the end

Everything is a function of the seed: the same seed and options give the same run, in every process.
"""
