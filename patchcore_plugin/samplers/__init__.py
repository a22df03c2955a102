"""Coreset samplers: patch embeddings in, the rows worth remembering out. One part per file, named after what it is.

``how_many``, ``farthest_first`` and ``selection`` hold what several samplers share: the settings, the steps around the
picking, and the report. Pruned-greedy is read from the outside in: ``pruned_greedy`` (settings), ``shells`` (the
algorithm), ``short_rows`` and ``panels`` (what it looks up), ``numba_pruning`` and ``numba_pair_blocks`` (its loops).
"""
