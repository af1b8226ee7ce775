"""Retrieval by inner product: FAISS indexes of the item embeddings, their choice, files and search."""

from recsys.index.index import Index, IndexMeta, build

__all__ = ["Index", "IndexMeta", "build"]
