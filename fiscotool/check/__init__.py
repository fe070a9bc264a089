"""Decide questions about protocols by looking at all schedules within bounds.

`explore` walks any model breadth first; `howard` and `howard_packed` are two independent transcriptions of one published specification,
whose counts are the exam of the engine.
"""
