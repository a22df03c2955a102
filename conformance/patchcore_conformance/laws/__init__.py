"""The laws, by kind of part; each is one function that decides, with the words that explain it."""
