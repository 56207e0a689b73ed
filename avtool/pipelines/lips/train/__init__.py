"""The recipes of `avtool lips`: one module per network."""
