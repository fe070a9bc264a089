"""Define observations and decide whether they agree: invariants, verdicts, evidence. Pure."""
