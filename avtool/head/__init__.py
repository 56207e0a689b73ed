"""A small parametric human head and its renderer: no display, no GPU, arrays in and out."""
