"""special.py - what only this broker is asked: named workloads of run."""

SPECIAL = {}
