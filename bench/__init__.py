"""Figures, each beside a peer in the same run: ``make bench``, or ``make bench ARGS=mailbox`` for one.

Every module here has ``run() -> list[Row]``. Ratios within a run count; absolute figures
depend on the machine.
"""
