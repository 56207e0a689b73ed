"""The recipes of `avtool separate`: one module per network."""
