"""How each network is trained and measured: one recipe a network, run with ``python -m``."""
