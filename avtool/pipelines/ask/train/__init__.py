"""The recipe of the network, and the scenes it learns from."""
