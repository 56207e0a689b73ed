"""`avtool speech2face`: a plausible face for a voice."""
