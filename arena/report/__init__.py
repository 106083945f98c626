"""Renders a result: HTML page, text files, plots."""
