"""Break a running chain on purpose, always heal it, and say what was seen."""
