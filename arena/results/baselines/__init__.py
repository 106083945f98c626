"""Baselines, which later releases are compared with, and metrics over releases."""
