"""The command line ``chargeward``: one module per command, joined in ``main``."""
