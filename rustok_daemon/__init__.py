"""rustok-daemon: the background half of a multi-tenant platform, supervised on trio."""

__version__ = "0.1.0"
