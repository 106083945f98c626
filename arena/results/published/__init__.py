"""Results that others published: figures without scores.

`record` is what a file holds, `read` finds out which format a file has, and each format has a module of its own.
"""
