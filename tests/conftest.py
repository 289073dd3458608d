"""What holds for every test: modules that one uses are no business of the next."""

from collections.abc import Iterator

import pytest

from isoloss.files import plugins


@pytest.fixture(autouse=True)
def used_modules_end_with_the_test() -> Iterator[None]:
    """A sweep hands them to its workers, which fail where a test's folder is gone."""
    before = plugins._USED[:]
    yield
    plugins._USED[:] = before
