"""Aggregators: feature maps in, one embedding per patch out. One part per file, named after what it is."""
