"""The exit codes of ``rustok-daemon run`` (contract.md, "Commands")."""

STOPPED = 0
GAVE_UP = 1
PARTLY_DRAINED = 5
TAKEN = 6
CONFIGURATION = 78
INTERRUPTED_TWICE = 130
TERMINATED_TWICE = 143
