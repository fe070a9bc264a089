"""`python -m fiscotool` is the `fiscotool` command."""

from fiscotool.cli.main import main

main()
