"""The judge: what any part must satisfy, whoever wrote it.

This package is reserved for the conformance kit and imports nothing yet; see CHANGELOG.md for what each release holds.
"""
