"""Whole runtimes in one process and no real time, under faults that a seed decides."""
