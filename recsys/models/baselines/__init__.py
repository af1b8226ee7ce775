"""Simple recommenders that a model must beat to earn its place; one a file.

Each is trained on clicks alone and gives `scores(rows)`: float32 [rows, items] by item index.
"""
