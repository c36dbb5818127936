"""Certificates out of files as people make them."""

import base64
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.network.pem import extract
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> list[Authority]:
    """Two CAs."""
    return [Authority.create(tmp_path_factory.mktemp("ca")) for _ in range(2)]


@pytest.fixture(scope="module")
def pem(authorities: list[Authority]) -> list[bytes]:
    """Their certificates, in PEM with a final newline."""
    return [authority.bundle.read_bytes() for authority in authorities]


@pytest.fixture(scope="module")
def der(pem: list[bytes]) -> tuple[bytes, ...]:
    """The same in DER."""
    return tuple(ssl.PEM_cert_to_DER_cert(each.decode()) for each in pem)


def test_every_certificate_of_a_file_is_taken(pem: list[bytes], der: tuple[bytes, ...]) -> None:
    """However the lines end, whatever stands between them, and if two are glued together."""
    first, second = pem
    files = [
        first + second,
        first.rstrip() + second.rstrip(),
        b"# our CA\r\n" + first.replace(b"\n", b"\r\n") + b"Bag Attributes: x\n" + second,
        b"\xef\xbb\xbf" + first + second,
        (first + second).decode().encode("utf-16"),
        (first + second).replace(b"BEGIN CERT", b"BEGIN X509 CERT").replace(b"END CERT", b"END X509 CERT"),
    ]
    for data in files:
        assert (der, ()) == (extract(data).certificates, extract(data).skip_reasons), data


def test_a_der_file_is_taken(der: tuple[bytes, ...]) -> None:
    """Also with a newline that an editor put at its end."""
    assert (der[0],) == extract(der[0]).certificates == extract(der[0] + b"\n").certificates


def test_a_private_key_is_never_copied(authorities: list[Authority], pem: list[bytes], der: tuple[bytes, ...]) -> None:
    """Its neighbours are taken."""
    authorities[0].context()
    both = (authorities[0].folder / "localhost1.pem").read_bytes()
    result = extract(both + pem[0])

    assert 2 == len(result.certificates)
    assert der[0] == result.certificates[1]
    assert ("a private key, which does not belong here: it was not copied",) == result.skip_reasons


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda pem, der: b"", "the file is empty"),
        (lambda pem, der: b" \n", "the file is empty"),
        (lambda pem, der: b"hello", "neither PEM nor a DER certificate"),
        (lambda pem, der: der[:-5], "a DER certificate that is cut off"),
        (lambda pem, der: der + b"junk", "neither PEM nor a DER certificate"),
        (lambda pem, der: b"0\x03abc", "a certificate that OpenSSL cannot read"),
        (lambda pem, der: pem.replace(b"BEGIN", b"BEGAN"), "no certificate in it"),
        (lambda pem, der: pem[:300], "a CERTIFICATE block without an end"),
        (lambda pem, der: pem.replace(b"MII", b"!II", 1), "a certificate that is damaged (its base64 text)"),
        (lambda pem, der: pem.replace(b"END CERTIFICATE", b"END PKCS7"), "a CERTIFICATE block without an end"),
        (lambda pem, der: ssl.DER_cert_to_PEM_cert(der[:-9]).encode(), "a certificate that is cut off or damaged"),
        (lambda pem, der: pem.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), "a TRUSTED CERTIFICATE block"),
        (lambda pem, der: pem.replace(b"CERTIFICATE", b"PKCS7"), "a PKCS7 block: take the certificates out"),
    ],
)
def test_what_is_broken_is_left_out_with_a_reason(pem: list[bytes], der: tuple[bytes, ...], damage, reason) -> None:  # type: ignore[no-untyped-def]
    """And what follows it in the same file is still taken, if it is PEM."""
    data = damage(pem[0], der[0])
    result = extract(data)
    assert () == result.certificates
    assert len(result.skip_reasons) == 1
    assert result.skip_reasons[0].startswith(reason)
    if b"-----" in data:
        assert der[1:] == extract(data + b"\n" + pem[1]).certificates


@given(data=st.binary(max_size=300), cut_at=st.integers(0, 2_000), insert_at=st.integers(0, 2_000))
def test_no_content_breaks_it(
    authorities: list[Authority], pem: list[bytes], data: bytes, cut_at: int, insert_at: int
) -> None:
    """Whatever comes out can be loaded; nothing is raised."""
    whole = pem[0] + pem[1]
    for content in (data, whole[:cut_at], whole[:insert_at] + data + whole[insert_at:], b"\xff\xfe" + data):
        result = extract(content)
        if result.certificates:
            text = "".join(ssl.DER_cert_to_PEM_cert(each) for each in result.certificates)
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        else:
            assert result.skip_reasons


def test_the_pem_that_is_written_is_what_openssl_writes(pem: list[bytes], der: tuple[bytes, ...]) -> None:
    """Lines of 64 characters, and a newline at the end."""
    assert pem[0].decode() == ssl.DER_cert_to_PEM_cert(der[0])
    assert base64.b64encode(der[0])[:64].decode() in ssl.DER_cert_to_PEM_cert(der[0])


def test_files_of_the_system_lose_nothing() -> None:
    """All public CAs that `requests` brings are taken."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    data = Path(str(DEFAULT_CA_BUNDLE_PATH)).read_bytes()
    result = extract(data)
    assert (data.count(b"-----BEGIN CERTIFICATE"), ()) == (len(result.certificates), result.skip_reasons)
