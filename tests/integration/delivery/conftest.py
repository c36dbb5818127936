"""An environment without proxies, a certificate authority, and a sender."""

from collections.abc import Iterator

import pytest

from longshore.delivery.send import Sender
from tests.support.certificates import Authority
from tests.support.posting import make_sender

READ_BY_REQUESTS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in READ_BY_REQUESTS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA that nobody trusts unless a test says so."""
    return Authority.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def sender() -> Iterator[Sender]:
    """A sender with patient limits."""
    sender = make_sender()
    yield sender
    sender.close()
