"""Telemetry: structured logs, and the watch over the loop. Metrics live with what they measure."""
