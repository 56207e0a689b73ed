"""`avtool sounds`: which sounds are heard when."""
