"""How the kit calls parts: one file a kind, which also says what a well-formed answer is."""
