"""Recipes of `avtool sounds`."""
