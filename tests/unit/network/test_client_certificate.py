"""A client certificate that cannot be used is named, with what is wrong; its password never."""

import ssl

import pytest

from longshore.network.client_certificate import CertificateUnusable, load
from tests.support.certificates import Authority

PASSWORD = b"hush-hush"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of good and bad files by what is in them."""
    folder = tmp_path_factory.mktemp("files")
    authority = Authority.create(folder)
    contents = {
        "right": PASSWORD + b"\r\n",
        "wrong": b"another\n",
        "empty": b"",
        "junk": b"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
        "long": b"x" * 2_000,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {
        "ann": str(authority.issue("ann")),
        "bob": str(authority.issue("bob")),
        "encrypted": str(authority.issue("ann", password=PASSWORD)),
        "missing": str(folder / "missing"),
        **{name: str(folder / name) for name in contents},
    }


def load_files(files: dict[str, str], certificate: str, key: str = "", password: str = "") -> None:
    load(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        files[certificate],
        files[key] if key else "",
        files[password] if password else "",
    )


@pytest.mark.parametrize(
    "names", [("ann",), ("ann", "ann"), ("encrypted", "", "right"), ("ann", "", "right")], ids=" ".join
)
def test_a_certificate_with_its_key_is_taken(files: dict[str, str], names: tuple[str, ...]) -> None:
    """Of one file or of two; a password that is not needed does no harm."""
    load_files(files, *names)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("missing",), "it cannot be read (no such file or directory)"),
        (("ann", "missing"), "{missing} cannot be read (no such file or directory)"),
        (("ann", "bob"), "the key in {bob} is not that of the first certificate in {ann}"),
        (("empty", "ann"), "there is no PEM certificate in {empty}, or a damaged one"),
        (("junk", "ann"), "there is no PEM certificate in {junk}, or a damaged one"),
        (("ann", "junk"), "there is no PEM key in {junk} that can be read, or it is damaged"),
        (("encrypted",), "the key in {encrypted} is encrypted: name the file of its password in key_password_file"),
        (
            ("encrypted", "", "wrong"),
            "there is no PEM key in {encrypted} that can be read, or its password is another",
        ),
        (
            ("encrypted", "", "empty"),
            "the key in {encrypted} is encrypted: name the file of its password in key_password_file",
        ),
        (("ann", "", "long"), "{long} is too large for a password"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_named(files: dict[str, str], names: tuple[str, ...], problem: str) -> None:
    with pytest.raises(CertificateUnusable) as error:
        load_files(files, *names)
    assert problem.format(**files) == error.value.problem
    assert error.value.__cause__ is None
