"""Recipes of `avtool caption`."""
