"""Turn command lines into library calls and results into text, JSON and exit codes."""
