"""Render findings, timelines and drill results as HTML, Markdown, JSON and JUnit. Pure."""
