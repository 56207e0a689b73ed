"""The recipes of `avtool speech2face`: one module per network."""
