"""`avtool localize`: where in the picture a sound comes from."""
