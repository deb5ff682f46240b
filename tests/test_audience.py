"""A part of a snapshot for the public: what belongs to it answers as in the whole, and nothing private is in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from snapshots import NOW, OFF, ON, evaluator, flag, rollout, split
from snapshots import snapshot as whole_of

from flagctl.compile.audience import private, subset, withheld
from flagctl.model.repository import Audience
from flagctl.signing import ONE_LINE, PrivateKey, PublicKey, public_line, verify

WEB = Audience(name="web", tags=("web", "app"))


def tagged(*tags: str, **parts: Any) -> dict[str, Any]:
    about = {"owner": "growth", "kind": "release", "description": "A flag.", "owner_email": "growth@example.com"}
    return flag(metadata=about | {"tags": list(tags)}, **parts)


def asks(*conditions: Any, **outcome: Any) -> list[dict[str, Any]]:
    return [{"name": "r", "when": list(conditions), **(outcome or ON)}]


def on(attribute: str) -> dict[str, Any]:
    return {"attribute": attribute, "op": "equals", "value": "sensitive"}


def people(op: str, value: Any) -> dict[str, Any]:
    return {"attribute": "targetingKey", "op": op, "value": value}


ATTRIBUTES = {
    "email": {"type": "string", "private": True},
    "country": {"type": "string"},
    "account": {"type": "object", "private": True},
    "account.plan": {"type": "string"},
    "team": {"type": "object"},
    "team.size": {"type": "integer"},
}
SEGMENTS = {
    "staff": [{"any": [on("country"), {"not": on("email")}]}],
    "inner": [on("team.size")],
    "outer": [{"segment": "inner"}],
    "unused": [on("country")],
    "named": [people("equals", "ada@example.com")],
}


def document(flags: dict[str, Any]) -> dict[str, Any]:
    return {**whole_of(flags, SEGMENTS), "attributes": ATTRIBUTES}


def part(audience: Audience = WEB, **flags: Any) -> dict[str, Any]:
    return subset(document(flags), audience)


def test_it_holds_tagged_flags_what_they_require_and_what_these_use() -> None:
    found = part(
        a=tagged("web", requires=[{"flag": "b", "variant": "on"}]),
        b=tagged(requires=[{"flag": "c", "variant": "on"}, {"flag": "gone", "variant": "on"}]),
        c=tagged(rules=asks({"segment": "outer"})),
        d=tagged("server", rules=asks(on("country"))),
    )
    assert (set(found["flags"]), set(found["segments"])) == ({"a", "b", "c"}, {"inner", "outer"})
    assert set(found["attributes"]) == {"team", "team.size"}
    assert (found["audience"], found["environment"]) == ("web", "production")


@pytest.mark.parametrize(
    ("parts", "pointer", "segment"),
    [
        ({"rules": asks(on("email"))}, "/rules/0/when/0", ""),
        (
            {"rules": asks({"not": {"any": [on("country"), {"all": [on("email")]}]}})},
            "/rules/0/when/0/not/any/1/all/0",
            "",
        ),
        ({"rules": asks(on("account.plan"))}, "/rules/0/when/0", ""),
        ({"rules": asks({"segment": "staff"})}, "/when/0/any/1/not", "staff"),
        ({"default": rollout(5, by="email")}, "/default/bucket_by", ""),
        ({"rules": asks(on("country"), **rollout(5, by="email"))}, "/rules/0/bucket_by", ""),
        ({"schedule": [{"at": 1, "default": rollout(5, by="email")}]}, "/schedule/0/default/bucket_by", ""),
        ({"overrides": {"off": ["u1"], "on": ["u2", "ada@example.com"]}}, "/overrides/on", ""),
        (
            {"rules": asks({"any": [on("country"), people("in", ["u1", "ada@example.com"])]})},
            "/rules/0/when/0/any/1",
            "",
        ),
        ({"rules": asks({"not": people("starts_with", "ada@")})}, "/rules/0/when/0/not", ""),
        ({"rules": asks({"segment": "named"})}, "/when/0", "named"),
    ],
)
def test_a_flag_with_something_private_is_left_out_and_so_is_what_requires_it(
    parts: dict[str, Any], pointer: str, segment: str
) -> None:
    needs = tagged("web", requires=[{"flag": "secret", "variant": "on"}])
    flags = {
        "secret": tagged("web", **parts),
        "needs": needs,
        "more": tagged("app", requires=[{"flag": "needs", "variant": "on"}]),
    }
    flags["fine"] = tagged("web", overrides={"on": ["u1"]}, rules=asks(people("ends_with", ["@example.com"])))
    assert [(one.flag, one.pointer, one.segment) for one in private(document(flags), WEB)] == [
        ("secret", pointer, segment)
    ]
    assert withheld(document(flags), WEB) == {"secret", "needs", "more"}
    assert set(part(**flags)["flags"]) == {"fine"}
    text = json.dumps(part(**flags))
    assert not any(word in text for word in ("sensitive", "ada@", "secret"))


def test_what_is_private_elsewhere_is_in_nobodys_way() -> None:
    flags = {"a": tagged("web"), "b": tagged("server", rules=asks(on("email")))}
    assert list(private(document(flags), WEB)) == []
    assert set(part(**flags)["flags"]) == {"a"}


def test_what_an_audience_strips() -> None:
    test = split("on", 50_000, "off", 100_000, experiment={"name": "e", "layer": "l", "metadata": {"hypothesis": "h"}})
    before = tagged("web", default=test, rules=asks(on("country"), **test), schedule=[{"at": 1, "default": test}],
                    overrides={"on": ["ada@example.com"]})  # fmt: skip
    everything = ("owner", "description", "documentation_url", "tags", "kind", "experiment", "overrides")
    found = part(Audience(name="web", tags=("web",), strip=everything), a=before)["flags"]["a"]
    assert (found["metadata"], "overrides" in found) == ({}, False)
    assert "hypothesis" not in json.dumps(found)
    assert found["default"]["experiment"] == {"name": "e", "layer": "l"}
    assert part(Audience(name="web", tags=("web",), strip=("owner",)), a=tagged("web"))["flags"]["a"]["metadata"] == {
        "kind": "release", "description": "A flag.", "tags": ["web"],
    }  # fmt: skip
    assert "ada@example.com" in json.dumps(before), "the whole snapshot was changed"


def test_a_part_answers_as_the_whole_does() -> None:
    flags = {
        "a": tagged("web", requires=[{"flag": "b", "variant": "on"}], default=rollout(40)),
        "b": tagged(rules=asks({"segment": "outer"}, **rollout(60)), default=OFF),
        "d": tagged("app", rules=asks(on("country"))),
    }
    whole = evaluator(flags, SEGMENTS)
    from flagctl.evaluate.evaluator import Evaluator

    public = Evaluator(part(**flags))
    people = [
        {"targetingKey": f"u{i}", "country": "sensitive" if i % 2 else "DE", "team": {"size": "sensitive"}}
        for i in range(300)
    ]
    answers = {key: [public.evaluate(key, person, NOW) for person in people] for key in ("a", "d")}
    assert answers == {key: [whole.evaluate(key, person, NOW) for person in people] for key in ("a", "d")}
    assert {answer.variant for answer in answers["a"]} == {"on", "off"}


def test_kills_of_other_flags_are_not_told() -> None:
    flags = {"a": tagged("web"), "b": tagged("server")}
    assert subset(document(flags) | {"kills": {"a": 5, "b": 6}}, WEB)["kills"] == {"a": 5}
    assert "kills" not in subset(document(flags) | {"kills": {"b": 6}, "signature": {}}, WEB)
    assert "signature" not in subset(document(flags) | {"signature": {}}, WEB)


LINE = ONE_LINE + base64.b64encode(b"7" * 32).decode()
MINE = PrivateKey.read(LINE, origin="it")


@pytest.fixture
def public_repo(repo: Path, git: Callable[..., str]) -> Path:
    """The small repository with an audience and a key; nothing private in wishlist-edit's way."""
    settings = repo / "flags/flagctl.yaml"
    key = f'keys: [{{name: k, public: "{public_line(MINE.public, "x")}"}}]\n'
    settings.write_text(f"{settings.read_text()}audiences: {{web: {{tags: [web], strip: [owner]}}}}\n{key}")
    for file in repo.glob("flags/*/wishlist-gallery.yaml"):
        file.write_text(
            file.read_text().replace('attribute: email, ends_with: "@example.com"', "attribute: country, equals: DE")
        )
    git(repo, "commit", "-qam", "For browsers")
    return repo


def test_an_audience_is_published_beside_the_whole_and_signed_by_itself(
    public_repo: Path, flagctl: Callable[..., Any]
) -> None:
    signing = {"FLAGCTL_SIGNING_KEY": LINE}
    done = flagctl("publish", "production", "--json", env=signing)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["receipts"][0]["beside"] == ["flagd.json", "web/snapshot.json"]
    file = public_repo / "published/production/web/snapshot.json"
    keys = [PublicKey(name="k", raw=MINE.public)]
    verdict = verify(file.read_bytes(), keys, environment="production", audience="web", now=0)
    assert verdict.ok, verdict
    document = verdict.document or {}
    assert (document["version"], set(document["flags"])) == (1, {"wishlist-gallery"})
    assert "owner" not in document["flags"]["wishlist-gallery"]["metadata"]
    file.write_bytes(file.read_bytes().replace(b"DE", b"AT"))
    assert verify(file.read_bytes(), keys, environment="production", audience="web", now=0).state == "bad-signature"
    done = flagctl("publish", "production", env=signing)
    assert "version 1 is live already; missing beside it was web/snapshot.json" in done.stdout, done.stderr
    assert verify(file.read_bytes(), keys, environment="production", audience="web", now=0).ok


def test_build_makes_one_audiences_part(public_repo: Path, flagctl: Callable[..., Any], tmp_path: Path) -> None:
    done = flagctl("build", "production", "--audience", "web")
    assert (done.returncode, json.loads(done.stdout)["audience"]) == (0, "web"), done.stderr
    assert "production for web of commit" in done.stderr
    assert ": 1 flag, " in done.stderr
    assert flagctl("build", "--all", "--audience", "web", "-o", tmp_path / "out").returncode == 0
    assert (tmp_path / "out/production/web/snapshot.json").read_text() == done.stdout
    done = flagctl("build", "production", "--audience", "wep")
    assert (done.returncode, "did you mean web?" in done.stderr) == (2, True)


def test_check_tells_what_keeps_a_flag_from_its_audience(public_repo: Path, flagctl: Callable[..., Any]) -> None:
    assert flagctl("check").returncode == 0
    file = public_repo / "flags/production/wishlist-gallery.yaml"
    file.write_text(file.read_text() + "overrides:\n  on: [u1, ada@example.com]\n")
    done = flagctl("check")
    assert done.returncode == 1
    place = "flags/production/wishlist-gallery.yaml:13:7: error: an override names a person by e-mail address"
    assert place in done.stdout, done.stdout
