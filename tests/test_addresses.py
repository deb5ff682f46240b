"""Targets as people write them: what is understood, what is told, and that nothing secret is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flagctl.errors import UsageError
from flagctl.stores import open_reader, open_store
from flagctl.stores.address import parse
from flagctl.stores.masking import mask, scrub, secrets_in


@pytest.mark.parametrize(
    ("url", "options", "expected"),
    [
        ("s3://bucket/a/b%20c/", {}, {"kind": "s3", "hosts": (("bucket", 0),), "path": "a/b c"}),
        (
            "s3://bucket?endpoint=http://localhost:9000&path_style=true",
            {"storage_class": "STANDARD_IA"},
            {"options": {"endpoint": "http://localhost:9000", "path_style": True, "storage_class": "STANDARD_IA"}},
        ),
        ("redis://cache", {}, {"kind": "redis", "hosts": (("cache", 0),), "path": ""}),
        ("rediss://:p%40ss@cache:6380/2", {}, {"password": "p@ss", "hosts": (("cache", 6380),), "path": "2"}),
        ("redis://u:p@[::1]:7000", {}, {"username": "u", "hosts": (("::1", 7000),)}),
        (
            "redis+sentinel://a:26379,b/mymaster/1?replicas=2",
            {},
            {"hosts": (("a", 26379), ("b", 0)), "path": "mymaster/1", "options": {"replicas": 2}},
        ),
        ("redis+cluster://a:7000,b:7001", {"prefix": "x"}, {"options": {"prefix": "x"}, "scheme": "redis+cluster"}),
        ("https://cdn.example.com/flags?v=1", {}, {"kind": "http"}),
    ],
)
def test_what_a_target_says(url: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    address = parse(url, options)
    assert {name: getattr(address, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("reddis://cache/0", {}, "did you mean redis?"),
        ("ftp://host/flags", {}, "needs ftp:, which flagctl doesn't know"),
        ("s3:published", {}, "names no bucket"),
        ("s3:///flags", {}, "names no bucket"),
        ("s3://key:s3cr3t@bucket/flags", {}, "carries credentials"),
        ("s3://b?endpoint=http://u:s3cr3t@h", {}, "the endpoint of the target"),
        ("s3://b", {"prefix": "x"}, "the unknown option prefix"),
        ("s3://b?regoin=x", {}, "did you mean region?"),
        ("s3://b?region=x", {"region": "y"}, "says region twice"),
        ("s3://b", {"races": "maybe"}, "expected lease or refuse"),
        ("s3://b", {"path_style": "maybe"}, "expected true or false"),
        ("s3://b", {"timeout": "soon"}, "expected a whole number"),
        ("file:x", {"region": "x"}, "the unknown option region"),
        ("redis:cache", {}, "names no host"),
        ("redis://cache:port", {}, "names no host and port that make sense"),
        ("redis://cache:70000", {}, "names no host and port that make sense"),
        ("redis://cache/name", {}, "names no database that makes sense"),
        ("redis://a,b", {}, "names several hosts"),
        ("redis://:s3cr3t/x@cache", {}, "%2F"),
        ("redis://:s3cr3t?x=y@cache", {}, "%2F"),
        ("redis://:s3cr3t#x@cache", {}, "%2F"),
        ("redis+sentinel://a:26379", {}, "doesn't say which primary"),
        ("redis+sentinel://a:26379/0", {}, "doesn't say which primary"),
        ("redis+cluster://a/1", {}, "names a database"),
        ("redis://:s3cr3t@[half", {}, "is not a URL"),
        ("https://user:s3cr3t@host/flags?token=s3cr3t", {}, "can only be read"),
    ],
)
def test_what_makes_no_sense_is_told_without_secrets(url: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url, Path("/"), options)
    said = f"{caught.value.message}\n{caught.value.hint}"
    assert words in said
    assert "s3cr3t" not in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:a@b?c=d", "file:a@b?c=d"),
        ("redis://cache:6379/0?prefix=x", "redis://cache:6379/0?prefix=x"),
        ("redis://flags:s3cr3t@cache/0", "redis://***@cache/0"),
        ("redis://:s3cr3t@s3cr3t/s3cr3t@cache", "redis://***@cache"),
        ("redis://:s3cr3t?s3cr3t@cache", "redis://***@cache"),
        ("redis+sentinel://:s3cr3t@a,b/m", "redis+sentinel://***@a,b/m"),
        ("s3://s3cr3t:s3cr3t@bucket/x?endpoint=http://u:s3cr3t@h&region=r", "s3://***@bucket/x?endpoint=http://***@h&region=r"),
        ("https://host/x?X-Amz-Signature=s3cr3t&sig=s3cr3t#s3cr3t", "https://host/x?X-Amz-Signature=***&sig=***"),
        ("//u:s3cr3t@host", "//***@host"),
    ],
)  # fmt: skip
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert mask(url) == shown
    assert "s3cr3t" not in scrub(f"could not reach {url}", [*secrets_in(url), "s3cr3t"])
    assert ("s3cr3t" in url) == bool(secrets_in(url))


def test_an_address_shows_nothing_secret_of_itself() -> None:
    assert "s3cr3t" not in repr(parse("redis://flags:s3cr3t@cache/0"))


def test_a_password_comes_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("redis://127.0.0.1:1/0", Path("/"), {"password_env": "FLAGS_PASSWORD"})
    with pytest.raises(UsageError, match="FLAGS_PASSWORD, which is not set"):
        store.get("production/snapshot.json")


def test_what_can_be_read_is_more_than_what_can_be_published_to() -> None:
    assert open_reader("https://user:s3cr3t@host/flags", Path("/")).url == "https://***@host/flags"
