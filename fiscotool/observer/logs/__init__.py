"""Nodes' logs, 3.x and 2.x, as typed events (docs/logs.md).

events, rule, words3, words2, times, parse     a line becomes an event
"""
