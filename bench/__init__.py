"""Figures, each beside a peer in the same run: ``make bench``, or ``make bench ARGS=mailbox`` for one.

Every module named in ``BENCHMARKS`` has ``run() -> list[Row]`` and runs in a process of its own. Ratios within a run
count; absolute figures depend on the machine.
"""

BENCHMARKS = (
    "http_route",
    "http_server",
    "resolver",
    "mailbox",
    "supervision",
    "asyncpg_side",
    "second_level",
    "start",
    "memory",
)
