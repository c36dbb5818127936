"""What the file of a secret for targets may hold beside it."""

from pathlib import Path

import pytest

from longshore.delivery.secret_file import FileCredential
from longshore.invocation.credentials_section import BasicOptions, BearerOptions


@pytest.mark.parametrize("content", [b"t0ken-4711", b"t0ken-4711 \r\n", b"\xef\xbb\xbf t0ken-4711\n"])
def test_what_surrounds_a_token_is_no_part_of_it(tmp_path: Path, content: bytes) -> None:
    """Receivers of headers take white space away, and what they repeat is masked."""
    (tmp_path / "token").write_bytes(content)
    credential = FileCredential(BearerOptions(str(tmp_path / "token"))).current()

    assert "Bearer t0ken-4711" == credential.value
    assert "said ***." == credential.mask.text("said t0ken-4711.")


def test_white_space_of_a_password_counts(tmp_path: Path) -> None:
    """But for what editors add."""
    (tmp_path / "password").write_bytes("\N{BYTE ORDER MARK}öne two \r\n".encode())

    assert (
        "Basic w7xubjrDtm5lIHR3byA=" == FileCredential(BasicOptions("ünn", str(tmp_path / "password"))).current().value
    )
