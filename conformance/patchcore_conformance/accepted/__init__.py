"""Unusual but right parts, by kind: what the laws have to let pass."""
