"""The recipes of `avtool localize`: one module per network."""
