"""A circuit breaker: after several failures in a row nobody waits for what is down, until a few probes succeed.

It promises that a probe's slot comes back however the probe ends, and that an outcome counts only in the state it was
admitted in.
"""

from .breaker import CircuitBreaker, CircuitOpen, Permit, State
from .metrics import BreakerMetrics

__all__ = ["BreakerMetrics", "CircuitBreaker", "CircuitOpen", "Permit", "State"]
