"""The detector inside frameworks that people already use; each file imports its own framework and no other."""
