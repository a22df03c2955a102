"""Neighbor searches: a memory bank in, an index to be asked out. One part per file, named after what it is.

``owned_bank`` holds what every index does first: check the bank and take a copy that nobody else can change.

Where faiss searches, ``placing`` puts rows where float32 serves them best; ``faiss_approximate`` and
``declared_recall`` hold what faiss-ivf and faiss-hnsw share, the measured recall above all; ``faiss_threads`` builds on
one thread, so that equal settings give equal indexes.
"""
