"""The actors of the platform, one package each. None imports another: they share ``actors.messages``."""
