"""Small, obviously right parts of the kit's own: trusted models, and what the broken parts are spoilt from."""
