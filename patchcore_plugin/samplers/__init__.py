"""Coreset samplers: patch embeddings in, the rows worth remembering out. One part per file, named after what it is.

``how_many`` and ``farthest_first`` hold what several samplers share: the settings, and the steps around the picking.
"""
