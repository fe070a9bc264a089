"""Nodes' logs, 3.x and 2.x, as typed events (docs/logs.md).

events, rule, words3, words2, times, counts, parse   a line becomes an event
trace                                               events become trace records
clock                                               zones, and how far clocks are apart
tail, collect                                       lines of growing files, of files and archives
story, tell                                         the timeline of all nodes, in words
"""
