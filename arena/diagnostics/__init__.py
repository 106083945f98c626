"""Diagnostics of single taggers: parity of two ports, cost, and a fingerprint of the scores.

This module imports nothing, because the imports of a benchmark's process would count as memory of the model.
"""
