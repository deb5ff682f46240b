"""Signatures: what is believed, what is not and why, and keys made by other programs."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flagctl.compile.snapshot import encode
from flagctl.errors import UsageError
from flagctl.signing import (
    ONE_LINE,
    PRIVATE,
    PrivateKey,
    PublicKey,
    Verdict,
    holds_half_of,
    public_key,
    public_line,
    verify,
)  # fmt: skip

NOW = 1_800_000_000
# always the same, because names of tests are made of them
MINE, OTHERS = (PrivateKey.read(ONE_LINE + base64.b64encode(seed * 32).decode(), origin="it") for seed in (b"1", b"2"))
KEYS = [
    PublicKey(name="release-2027", raw=MINE.public),
    PublicKey(name="release-2026", raw=OTHERS.public, until=NOW),
    PublicKey(name="release-2028", raw=OTHERS.public, since=NOW + 1),
]


def document(**parts: Any) -> dict[str, Any]:
    return {
        "format": "flagctl/snapshot/1",
        "environment": "production",
        "version": 7,
        "commit": "a" * 40,
        "flags": {"grüße": {"variants": {"on": {"signature": {"key": "x"}}}, "rate": 1e16, "escaped": "\n\u2028"}},
        **parts,
    }


def signed(what: dict[str, Any], key: PrivateKey = MINE, name: str = "release-2027") -> bytes:
    return encode({**what, "signature": key.sign(encode(what), name)})


def judged(data: bytes, **options: Any) -> Verdict:
    return verify(data, options.pop("keys", KEYS), environment="production", now=NOW, **options)


@pytest.mark.parametrize(
    ("data", "options", "state", "told"),
    [
        (signed(document()), {}, "ok", "signed by release-2027"),
        (signed(document()), {"held": 7}, "ok", "release-2027"),
        (encode(document()), {"keys": []}, "ok", "not signed"),
        (encode(document()), {}, "unsigned", "not signed"),
        (signed(document()), {"held": 8}, "step-back", "version 7, older than version 8"),
        (signed(document(environment="staging")), {}, "wrong-environment", "of 'staging', not of 'production'"),
        (encode(document(environment="staging")), {"keys": []}, "wrong-environment", "'staging'"),
        (signed(document(audience="web")), {}, "wrong-environment", "for 'web', not the whole"),
        (signed(document()), {"audience": "web"}, "wrong-environment", "the whole, not for 'web'"),
        (signed(document(audience="web")), {"audience": "web"}, "ok", ""),
        (signed(document(), OTHERS), {}, "bad-signature", "somebody changed it"),
        (signed(document(), OTHERS, "release-2026"), {}, "retired-key", "release-2026, which is retired"),
        (signed(document(), OTHERS, "release-2028"), {}, "early-key", "release-2028, which begins later"),
        (signed(document(), OTHERS, "mallory"), {}, "unknown-key", "mallory, and release-2027"),
        (signed(document(format="flagctl/snapshot/2")), {}, "newer-format", "flagctl/snapshot/2"),
        (signed(document(format="flagd/1")), {}, "damaged", "flagd/1"),
        (encode({**document(), "signature": "x"}), {}, "bad-signature", "not written as"),
        (encode({**document(), "signature": MINE.sign(b"other", "release-2027")}), {}, "bad-signature", "changed"),
        (json.dumps(json.loads(signed(document()))).encode(), {}, "bad-signature", "not written as"),
        (b" " + signed(document()), {}, "bad-signature", "changed"),
        (signed(document()) + b"\n", {}, "bad-signature", "not written as"),
        (signed(document(version=True)), {}, "damaged", "version"),
        (signed(document(flags=[])), {}, "damaged", "flags"),
        (b"[" * 100_000, {}, "damaged", "JSON"),
        (b"\xff", {}, "damaged", "JSON"),
        (b"", {}, "damaged", "JSON"),
        (b"[]", {}, "damaged", "format"),
    ],
)
def test_what_is_believed(data: bytes, options: dict[str, Any], state: str, told: str) -> None:
    verdict = judged(data, **options)
    assert (verdict.state, verdict.ok) == (state, state == "ok")
    assert told in verdict.message
    assert told == "JSON" or told == "format" or verdict.document == json.loads(data)


def test_every_single_flipped_bit_is_noticed() -> None:
    data = signed(document())
    for position in range(len(data)):
        for bit in range(8):
            flipped = data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]
            assert not judged(flipped).ok, (position, bit)


def test_bytes_left_out_put_in_and_exchanged_are_noticed() -> None:
    data, dice = signed(document()), random.Random(7)
    for _ in range(2000):
        i, j = sorted(dice.sample(range(len(data) + 1), 2))
        changed = dice.choice([data[:i] + data[j:], data[:j] + data[i:], data[:i] + dice.randbytes(j - i) + data[j:]])
        assert changed == data or not judged(changed).ok


def test_a_second_signature_or_field_can_not_be_slipped_in() -> None:
    data = signed(document())
    end = data.rindex(b',"signature"')
    evil = data[end : data.rindex(b',"version"')]
    for place in (1, end, data.rindex(b',"version"'), len(data) - 1):
        assert not judged(data[:place] + evil + data[place:]).ok
        assert not judged(data[:place] + b',"version":1' + data[place:]).ok


def test_openssl_agrees_about_the_signed_bytes(tmp_path: Path) -> None:
    what = document()
    signature = json.loads(signed(what))["signature"]
    (tmp_path / "data").write_bytes(encode(what))
    (tmp_path / "value").write_bytes(base64.b64decode(signature["value"]))
    der = bytes.fromhex("302a300506032b6570032100") + MINE.public  # RFC 8410, 4
    (tmp_path / "public.der").write_bytes(der)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "public.der", "-rawin"]
    done = subprocess.run([*command, "-in", "data", "-sigfile", "value"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), done.stderr


def made_by_ssh(folder: Path, passphrase: str = "", kind: str = "ed25519") -> tuple[str, str]:
    file = folder / f"key-{kind}-{passphrase}"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "ada@laptop", "-f", str(file)], check=True, timeout=60
    )
    return file.read_text(), file.with_name(f"{file.name}.pub").read_text()


@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_key_of_openssh_is_used_as_it_is(tmp_path: Path, passphrase: str) -> None:
    private, public = made_by_ssh(tmp_path, passphrase)
    key = PrivateKey.read(private, origin="it", passphrase=lambda: passphrase)
    assert key.public == public_key(public)
    assert judged(signed(document(), key), keys=[PublicKey(name="release-2027", raw=public_key(public))]).ok
    assert holds_half_of(f"x: |\n{private}", [key.public])
    assert not holds_half_of(private, [MINE.public])


def test_openssh_reads_a_key_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text(MINE.pem())
    said = subprocess.run(["ssh-keygen", "-y", "-f", str(file)], capture_output=True, text=True, check=True).stdout
    assert public_key(said) == MINE.public
    assert public_line(MINE.public, "x").split()[:2] == said.split()[:2]


def test_every_spelling_of_a_private_key_is_the_same_key(tmp_path: Path) -> None:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "pkcs8"], cwd=tmp_path, check=True)
    pkcs8 = (tmp_path / "pkcs8").read_text()
    for text in (MINE.pem(), MINE.line(), f"\n{MINE.line()}\n", MINE.pem().replace("\n", "\\n"), pkcs8):
        key = PrivateKey.read(text, origin="it")
        assert (key.public == MINE.public) is (text is not pkcs8)
        assert PRIVATE.search(text.encode())
        assert holds_half_of(text, [key.public])


@pytest.mark.parametrize(
    ("text", "passphrase", "message", "hint"),
    [
        ("", None, "FILE holds no private key that can be read", "flagctl key new"),
        ("secret nonsense", None, "FILE holds no private key that can be read", "flagctl key new"),
        ("flagctl-private-ed25519:secret", None, "FILE holds a damaged private key", "flagctl key new"),
        ("flagctl-private-ed25519:c2VjcmV0", None, "FILE holds a damaged private key", "flagctl key new"),
        ("rsa", None, "FILE holds a key of another kind than Ed25519", "ssh-keygen -t ed25519"),
        ("locked", None, "the private key in FILE has a passphrase", "FLAGCTL_SIGNING_PASSPHRASE"),
        ("locked", "wrong secret", "FILE does not open with this passphrase", ""),
        ("public", None, "FILE holds no private key that can be read", "flagctl key new"),
    ],
)
def test_a_private_key_that_is_none_is_told_without_its_text(
    tmp_path: Path, text: str, passphrase: str | None, message: str, hint: str
) -> None:
    made = {"rsa": ("", "rsa"), "locked": ("word", "ed25519"), "public": ("", "ed25519")}
    if text in made:
        text = made_by_ssh(tmp_path, *made[text])[text == "public"]
    with pytest.raises(UsageError) as caught:
        PrivateKey.read(text, origin="FILE", passphrase=None if passphrase is None else lambda: passphrase)
    assert caught.value.message == message
    assert hint in caught.value.hint
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "text that is no Ed25519 public key"),
        ("ssh-ed25519", "text that is no Ed25519 public key"),
        ("ssh-rsa AAAA", "text that is no Ed25519 public key"),
        (base64.b64encode(b"x" * 31).decode(), "text that is no Ed25519 public key"),
        ("ssh-ed25519 " + base64.b64encode(b"x" * 32).decode(), "text that is no Ed25519 public key"),
        (MINE.line(), "private key where a public one belongs"),
        (MINE.pem(), "private key where a public one belongs"),
    ],
)
def test_a_public_key_that_is_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        public_key(text)
    assert not text or text.split()[-1] not in caught.value.message


def test_a_new_key_is_new() -> None:
    assert PrivateKey.new().public != PrivateKey.new().public


def test_a_public_key_may_be_bare() -> None:
    assert public_key(base64.b64encode(MINE.public).decode()) == MINE.public


LIGHT = """
import sys
from flagctl.signing import PublicKey, verify
verify(sys.stdin.buffer.read(), [], environment="production", now=0)
heavy = {"cryptography", "ruamel", "git", "typer", "rich", "boto3", "redis", "jsonschema", "yaml_rs"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_a_reader_without_keys_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], input=encode(document()), capture_output=True, check=True)
    assert done.stdout == b"[]\n"
