"""Recipes of `avtool search`."""
