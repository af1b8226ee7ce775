"""A multistage, multimodal recommender: two-tower retrieval, DLRM ranking, Triton serving."""

__version__ = "0.1.0"
