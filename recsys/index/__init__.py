"""Retrieval by inner product: FAISS indexes of the item embeddings, their choice, files and search."""

from recsys.index.index import Index, IndexMeta, build
from recsys.index.sharded import Sharded, open_index

__all__ = ["Index", "IndexMeta", "Sharded", "build", "open_index"]
