"""Traces and metrics through OpenTelemetry. Only `settings` can be imported without it."""
