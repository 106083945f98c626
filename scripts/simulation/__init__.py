"""Simulated taggers whose true metrics are known."""
