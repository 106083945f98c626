"""The other side of `arena.report.page.packed`, which in a page is the browser."""

import base64
import gzip


def decompress(text: str) -> bytes:
    """What was compressed."""
    return gzip.decompress(base64.b85decode(text.translate(str.maketrans("][:", "&<>"))))
