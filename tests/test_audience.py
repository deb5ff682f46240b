"""A part of a snapshot for the public: what belongs to it answers as in the whole, and nothing private is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from snapshots import NOW, OFF, ON, evaluator, flag, rollout, split
from snapshots import snapshot as whole_of

from flagctl.compile.audience import private, subset, withheld
from flagctl.model.repository import Audience

WEB = Audience(name="web", tags=("web", "app"))


def tagged(*tags: str, **parts: Any) -> dict[str, Any]:
    about = {"owner": "growth", "kind": "release", "description": "A flag.", "owner_email": "growth@example.com"}
    return flag(metadata=about | {"tags": list(tags)}, **parts)


def asks(*conditions: Any, **outcome: Any) -> list[dict[str, Any]]:
    return [{"name": "r", "when": list(conditions), **(outcome or ON)}]


def on(attribute: str) -> dict[str, Any]:
    return {"attribute": attribute, "op": "equals", "value": "sensitive"}


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
    flags["fine"] = tagged("web", overrides={"on": ["u1"]})
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
