"""Fixtures of the page: payloads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .payloads import Payload, make_payload


@pytest.fixture
def payload() -> Payload:
    """Two models, 150 tags, of which some are not compared."""
    return make_payload()


@pytest.fixture
def plain() -> Payload:
    """The same without intervals: point estimates."""
    return make_payload(replicates=0)


@pytest.fixture
def payload_of() -> Callable[..., Payload]:
    """The factory itself, for payloads of another size."""
    return make_payload
