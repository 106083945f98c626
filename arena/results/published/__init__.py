"""Published results: metrics without scores.

`record` defines a published result, `read` detects the format of a file, and each format has its own module.
"""
