"""How the networks of shapes are trained."""
