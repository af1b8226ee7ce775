"""Measurements of the project's own speed: load, statistics and reports."""
