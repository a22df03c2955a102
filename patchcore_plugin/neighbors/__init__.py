"""Neighbor searches: a memory bank in, an index to be asked out. One part per file, named after what it is.

``owned_bank`` holds what every index does first: check the bank and take a copy that nobody else can change.
"""
