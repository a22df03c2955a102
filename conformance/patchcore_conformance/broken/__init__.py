"""Deliberately faulty parts, by kind: what the laws have to catch, and which of them at least."""
