"""`avtool search` and `avtool tag`: pictures and moments of films by words."""
