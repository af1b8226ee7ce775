"""Releases: immutable folders of what is served, their store, and the gate before them."""
