"""`avtool separate`: the voice of each face."""
