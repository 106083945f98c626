"""Exports of a run: text, tables, metadata and text for model cards, citation.

Every export is made from the stored results of the run. `signature` identifies the inputs that reproduce them.
"""
