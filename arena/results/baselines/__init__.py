"""Baselines: what releases are compared with, and their metrics over releases."""
