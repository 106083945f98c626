"""Parts of a fingerprint: the scores that a card expects from its model on the canary images."""

import base64
import binascii
import re
from typing import NamedTuple

from arena.base.errors import ArenaError


class Fingerprint(NamedTuple):
    """Parts of a fingerprint; `arena.diagnostics.fingerprint` computes and compares fingerprints.

    Attributes:
        canary: first digits of the canary set's digest.
        precision: precision of the network.
        tags: first digits of a digest of the tag names; independent of their order.
        sums: steps, int (images * sums an image).
    """

    canary: str
    precision: str
    tags: str
    sums: tuple[int, ...]

    def __str__(self) -> str:
        packed = b"".join(value.to_bytes(3, "big", signed=True) for value in self.sums)
        return ".".join((self.canary, self.precision, self.tags, base64.urlsafe_b64encode(packed).decode()))


def read_fingerprint(text: str, where: str) -> Fingerprint:
    """Parse the text of a fingerprint.

    Args:
        where: option or card that contains it, for the error.

    Raises:
        ArenaError: the text is not a fingerprint.

    >>> text = str(Fingerprint("0f3a5c", "fp32", "12345678", (1024, -1)))
    >>> text, read_fingerprint(text, "--expect").sums
    ('0f3a5c.fp32.12345678.AAQA____', (1024, -1))
    """
    parts = re.fullmatch(r"([0-9a-f]{6})\.(\w+)\.([0-9a-f]{8})\.(.*)", text.strip(), re.ASCII)
    try:
        packed = base64.b64decode(parts[4], altchars=b"-_", validate=True) if parts else b""
    except (ValueError, binascii.Error):
        parts = None
    if parts is None:
        raise ArenaError(
            f"{where} = {text!r}: not a fingerprint; copy the line of arena verify, four parts separated by dots"
        )
    if not packed or len(packed) % 3:
        raise ArenaError(f"{where} = {text!r}: the fingerprint is cut short; copy all of it")
    sums = (int.from_bytes(packed[start : start + 3], "big", signed=True) for start in range(0, len(packed), 3))
    return Fingerprint(parts[1], parts[2], parts[3], tuple(sums))
