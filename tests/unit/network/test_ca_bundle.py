"""One bundle out of a folder of certificate files, whatever is in it."""

import os
import ssl
import stat
import threading
from pathlib import Path

import pytest

from longshore.network.ca_bundle import Bundle, BundleUnwritable, gather, write
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four CAs, in PEM."""
    return [Authority.create(tmp_path_factory.mktemp("ca")).bundle.read_text() for _ in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where certificates are mounted."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    return folder


def certificates(text: str) -> list[str]:
    """The certificates of a bundle as OpenSSL finds them, in PEM."""
    return [f"{each}-----END CERTIFICATE-----\n" for each in text.split("-----END CERTIFICATE-----\n")[:-1]]


def reasons(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    return {os.path.basename(source.path): source.skip_reasons for source in bundle.files}


def test_the_systems_certificates_come_first_then_the_files_by_path(
    tmp_path: Path, folder: Path, pem: list[str]
) -> None:
    """All endings, several certificates in a file, no final newline, DER; each certificate once."""
    system = tmp_path / "system.pem"
    system.write_text(pem[0])
    (folder / "b.crt").write_text(pem[1].rstrip() + pem[0].rstrip())
    (folder / "a.cer").write_bytes(ssl.PEM_cert_to_DER_cert(pem[2]))
    (folder / "sub").mkdir()
    (folder / "sub" / "c.PEM").write_text(pem[3].rstrip())
    bundle = gather(str(folder), [str(tmp_path / "gone.pem"), str(system)])

    assert [pem[0], pem[2], pem[1], pem[3]] == certificates(bundle.text)
    assert (f"in the bundle already, from {system}",) == reasons(bundle)["b.crt"]
    assert [] == bundle.warnings


def test_a_mounted_secret_of_kubernetes_is_read(folder: Path, pem: list[str]) -> None:
    """Files are links into a hidden folder, which is itself a link."""
    (folder / "team" / "..2026_08_01").mkdir(parents=True)
    (folder / "team" / "..2026_08_01" / "ca.crt").write_text(pem[0])
    (folder / "team" / "..data").symlink_to("..2026_08_01")
    (folder / "team" / "ca.crt").symlink_to("..data/ca.crt")
    bundle = gather(str(folder), [])

    assert [pem[0]] == certificates(bundle.text)
    assert [] == bundle.warnings


def test_links_are_followed_out_of_the_folder_and_loops_end(tmp_path: Path, folder: Path, pem: list[str]) -> None:
    """A link to a file, to a folder, to its own folder, to nothing."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.crt").write_text(pem[0])
    (other / "two.crt").write_text(pem[1])
    (folder / "file.crt").symlink_to(other / "one.crt")
    (folder / "folder").symlink_to(other)
    (folder / "loop").symlink_to(folder)
    (folder / "self.crt").symlink_to(folder / "self.crt")
    (folder / "gone.crt").symlink_to(tmp_path / "nothing")
    bundle = gather(str(folder), [])

    assert [pem[0], pem[1]] == certificates(bundle.text)
    assert {"gone.crt", "self.crt"} == {os.path.basename(path) for path, _ in bundle.warnings}


def test_what_is_no_certificate_is_named_and_the_rest_is_taken(folder: Path, pem: list[str]) -> None:
    """A broken file is a warning with its name. A pipe is not waited for."""
    (folder / "good.crt").write_text(pem[0])
    (folder / "broken.pem").write_text(pem[1][:200])
    (folder / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (folder / "empty.cer").touch()
    (folder / "README.md").write_text("nothing")
    (folder / os.fsdecode(b"b\xe4d\n.crt")).write_text("x")
    os.mkfifo(folder / "pipe.crt")
    bundle = gather(str(folder), [])

    assert [pem[0]] == certificates(bundle.text)
    warned = {Path(path).name: reason for path, reason in bundle.warnings}
    assert {
        "broken.pem",
        "key.pem",
        "empty.cer",
        "pipe.crt",
        "b\N{REPLACEMENT CHARACTER}d\N{REPLACEMENT CHARACTER}.crt",
    } == set(warned)
    assert "a private key" in warned["key.pem"]
    assert "AAAA" not in bundle.text
    assert ("its name does not end in .crt, .pem, .cer",) == reasons(bundle)["README.md"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_named(folder: Path, pem: list[str]) -> None:
    """File or folder."""
    (folder / "mine.crt").write_text(pem[0])
    (folder / "theirs.crt").write_text(pem[1])
    (folder / "theirs.crt").chmod(0)
    (folder / "closed").mkdir(mode=0)
    bundle = gather(str(folder), [])

    assert [pem[0]] == certificates(bundle.text)
    assert {("theirs.crt", "permission denied"), ("closed", "permission denied")} == {
        (Path(path).name, reason) for path, reason in bundle.warnings
    }


def test_an_absent_folder_leaves_the_systems_certificates(tmp_path: Path, pem: list[str]) -> None:
    """Most agents have none. Without any certificate at all the bundle is empty."""
    (tmp_path / "system.pem").write_text(pem[0])

    assert pem[0] == gather(str(tmp_path / "gone"), [str(tmp_path / "system.pem")]).text
    assert "" == gather(str(tmp_path / "gone"), [str(tmp_path / "gone.pem")]).text


def test_the_bundle_is_written_for_all_to_read(tmp_path: Path) -> None:
    """Mode 644 whatever the umask, in a folder that is made; what is there already stays as it is."""
    path = tmp_path / "port-agent" / "ca-certificates" / "ca-certificates.crt"
    old = os.umask(0o077)
    try:
        write(path, "one\n")
    finally:
        os.umask(old)
    before = path.stat()
    write(path, "one\n")

    assert 0o644 == stat.S_IMODE(path.stat().st_mode)
    assert before.st_ino == path.stat().st_ino
    write(path, "two\n")
    assert ("two\n", ["ca-certificates.crt"]) == (path.read_text(), os.listdir(path.parent))


def test_many_may_write_at_once_and_a_reader_sees_a_whole_bundle(tmp_path: Path) -> None:
    """Programs of one agent start together."""
    path = tmp_path / "ca" / "bundle.crt"
    texts = [letter * 50_000 for letter in "abcd"]
    write(path, texts[0])
    texts_read: set[str] = set()

    def write_often(text: str) -> None:
        for _ in range(30):
            write(path, text)

    writers = [threading.Thread(target=write_often, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        texts_read.add(path.read_text())
    for writer in writers:
        writer.join()

    assert texts_read <= set(texts)
    assert ["bundle.crt"] == os.listdir(path.parent)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The path and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(BundleUnwritable, match=r"file/bundle.crt: not a directory|file/bundle.crt: file exists"):
        write(tmp_path / "file" / "bundle.crt", "x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(BundleUnwritable, match="is a directory"):
        write(tmp_path / "taken", "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner could put another bundle there."""
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(BundleUnwritable, match="another user"):
        write(tmp_path / "theirs" / "bundle.crt", "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_no_folder_above_it_may_belong_to_another_user(tmp_path: Path) -> None:
    """Its owner could put another folder in the place of ours; nor may a link on the way."""
    place = tmp_path / "theirs" / "ours"
    place.mkdir(parents=True)
    os.chown(tmp_path / "theirs", 12345, 12345)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    os.lchown(tmp_path / "link", 12345, 12345)
    for folder in (place, tmp_path / "theirs" / "new" / "newer", tmp_path / "link" / "new"):
        with pytest.raises(BundleUnwritable, match=r"belongs to another user \(12345\)"):
            write(folder / "bundle.crt", "x")
    assert ["ours"] == os.listdir(tmp_path / "theirs")


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o2777])
def test_no_folder_above_it_may_be_written_by_others(tmp_path: Path, mode: int) -> None:
    """Whoever may write there may rename what is in it; in a folder such as /tmp only what is theirs."""
    (tmp_path / "open" / "ours").mkdir(parents=True)
    (tmp_path / "open").chmod(mode)
    with pytest.raises(BundleUnwritable, match="may be written by others"):
        write(tmp_path / "open" / "ours" / "bundle.crt", "x")
    (tmp_path / "open").chmod(mode | stat.S_ISVTX)
    write(tmp_path / "open" / "ours" / "bundle.crt", "x")


def test_the_folders_it_makes_are_open_to_nobody_else(tmp_path: Path) -> None:
    """Whatever the umask."""
    old = os.umask(0)
    try:
        write(tmp_path / "a" / "b" / "bundle.crt", "x")
    finally:
        os.umask(old)
    assert [0o755, 0o755] == [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")]


def test_a_file_that_is_not_ours_is_replaced(tmp_path: Path) -> None:
    """Though it holds what it should: a link to another file is one of somebody else's."""
    (tmp_path / "other").write_text("x")
    (tmp_path / "bundle.crt").symlink_to("other")
    write(tmp_path / "bundle.crt", "x")

    assert not (tmp_path / "bundle.crt").is_symlink()
