"""Secret inputs are decrypted where the mapping says so, and nothing else is touched."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation.decrypt import decrypt
from longshore.invocation.decrypted import decrypt_message

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "encryption.json").read_text(encoding="utf-8")
)
SECRET = "demo-client-secret-0123456789-abcdefghijklmnop"
HUNTER2 = "AAECAwQFBgcICQoLDA0ODyJUv1VXShP86elaqC562siMhRDbl7ja"


def parametrize_by_name(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@parametrize_by_name(VECTORS["decrypt"])
def test_vector_values_are_decrypted(case: dict[str, Any]) -> None:
    """Each published ciphertext gives its plaintext."""
    assert ({"v": case["plaintext"]}, []) == decrypt({"v": case["encrypted"]}, ["v"], [case["key"]])


@parametrize_by_name(VECTORS["decrypt_failures"])
def test_vector_failures_leave_the_field_unchanged(case: dict[str, Any]) -> None:
    """What cannot be decrypted stays, and its path (never its value) is returned for a warning."""
    assert ({"v": case["encrypted"]}, ["v"]) == decrypt({"v": case["encrypted"]}, ["v"], [case["key"]])


@parametrize_by_name(VECTORS["payloads"])
def test_vector_payloads(case: dict[str, Any]) -> None:
    """Paths reach nested fields and list elements, and wildcards and leading dots reach nothing."""
    before = copy.deepcopy(case["before"])

    after, _ = decrypt(before, case["paths"], [case["key"]])

    assert case["after"] == after
    assert case["before"] == before, "the given message must not be changed"


def test_a_missing_path_gives_no_warning() -> None:
    """Absent, null, through a text, past the end of a list: all passed over."""
    message: dict[str, Any] = {"a": None, "t": "text", "l": [1]}
    paths = ["x.y", "a", "a.b", "t.0", "l.1", "l.-2", "l.x", "l.²", "l." + "9" * 5000, "", ".", "l."]

    assert (message, []) == decrypt(message, paths, [SECRET])


@pytest.mark.parametrize("paths", [["l.0", "l.0"], ["l.0", "l.-1"], ["l.-1", "l.0", "l.0"]])
def test_a_place_that_is_named_twice_is_a_secret_too(paths: list[str]) -> None:
    """It is plaintext when it is looked at again, and must be masked all the same."""
    message = decrypt_message(json.dumps({"l": [HUNTER2]}), paths, [SECRET])

    assert {"l": ["hunter2"]} == json.loads(message.text)
    assert "hunter2" in message.secrets


def test_the_secret_before_a_rotation_still_decrypts() -> None:
    """A value encrypted with the previous secret is decrypted by trying all."""
    assert {"v": "hunter2"} == decrypt({"v": HUNTER2}, ["v"], ["n" * 40, "short", SECRET])[0]


def test_line_breaks_in_base64_are_accepted() -> None:
    """Encoders that wrap their lines are common."""
    wrapped = "\n".join([HUNTER2[:20], HUNTER2[20:40], HUNTER2[40:]])

    assert {"v": "hunter2"} == decrypt({"v": wrapped}, ["v"], [SECRET])[0]


def test_plaintext_that_is_not_utf8_is_a_failure() -> None:
    """Secret inputs are text; bytes are left as they came."""
    ciphertext = base64.b64encode(
        bytes(16) + AESGCM(SECRET.encode()[:32]).encrypt(bytes(16), b"\xff\xfe", None)
    ).decode()

    assert ({"v": ciphertext}, ["v"]) == decrypt({"v": ciphertext}, ["v"], [SECRET])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.sampled_from("ab0."), children, max_size=4),
    max_leaves=20,
)


@given(
    message=st.dictionaries(st.sampled_from("ab0"), json_values),
    paths=st.lists(st.lists(st.sampled_from(["a", "b", "0", "-1", "1", "*", ""])).map(".".join)),
)
def test_no_message_and_no_path_raises(message: dict[str, Any], paths: list[str]) -> None:
    """Whatever the shapes, nothing encrypted in it means nothing changed."""
    assert message == decrypt(message, paths, [SECRET])[0]
