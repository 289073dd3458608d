"""The page as an application, asked without a network."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from isoloss.app import page_of

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def page() -> TestClient:
    return TestClient(page_of(), base_url="http://127.0.0.1")


@pytest.fixture
def ask(page: TestClient) -> Ask:
    """The numbers of a part; a sentence under "error" where it is refused."""

    def asked(part: str, **given: object) -> dict[str, Any]:
        told: dict[str, Any] = page.get(f"/at/{part}", params=given).json()
        return told

    return asked
