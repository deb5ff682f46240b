"""Contexts and previews as people type them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import arms, flag

from flagctl.errors import UsageError
from flagctl.evaluate.context import from_arguments, from_json, previews
from flagctl.model.repository import Attribute

ATTRIBUTES = {
    attribute.name: attribute
    for attribute in (
        Attribute(name="country", type="string", values=("DE", "FR")),
        Attribute(name="name", type="string"),
        Attribute(name="age", type="integer"),
        Attribute(name="score", type="number"),
        Attribute(name="beta", type="boolean"),
        Attribute(name="since", type="datetime"),
        Attribute(name="version", type="semver"),
        Attribute(name="groups", type="array"),
        Attribute(name="sizes", type="array", items="integer"),
        Attribute(name="account", type="object"),
        Attribute(name="account.plan", type="string"),
        Attribute(name="ns:id", type="integer"),
    )
}


@pytest.mark.parametrize(
    ("argument", "context"),
    [
        ("name=ada", {"name": "ada"}),
        ("name=", {"name": ""}),
        ("name=42", {"name": "42"}),
        ("name=a=b", {"name": "a=b"}),
        ("country=DE", {"country": "DE"}),
        ("targetingKey=42", {"targetingKey": "42"}),
        ("age=42", {"age": 42}),
        ("age=-1", {"age": -1}),
        ("score=2.5", {"score": 2.5}),
        ("score=2", {"score": 2}),
        ("beta=true", {"beta": True}),
        ("beta=false", {"beta": False}),
        ("since=2026-01-01", {"since": "2026-01-01"}),
        ("since=2026-01-01T00:00:00+01:00", {"since": "2026-01-01T00:00:00+01:00"}),
        ("since=1767225600", {"since": 1767225600}),
        ("version=2.10", {"version": "2.10"}),
        ("groups=a, b,c", {"groups": ["a", "b", "c"]}),
        ("groups=", {"groups": []}),
        ("sizes=1,2", {"sizes": [1, 2]}),
        ('account={"plan": "pro"}', {"account": {"plan": "pro"}}),
        ("account.plan=pro", {"account": {"plan": "pro"}}),
        ("ns:id=7", {"ns:id": 7}),
        ("age:=42", {"age": 42}),
        ('age:="old"', {"age": "old"}),
        ("name:=null", {"name": None}),
        ("account:=[1]", {"account": [1]}),
    ],
)
def test_a_value_is_read_as_its_attribute_is_declared(argument: str, context: dict[str, Any]) -> None:
    found, warnings = from_arguments([argument], ATTRIBUTES, {})
    assert (found, warnings) == (context, [])
    assert [type(value) for value in found.values()] == [type(value) for value in context.values()]


@pytest.mark.parametrize(
    "argument",
    [
        "age=old", "age=4.5", "age=true", "age=", "age=1_000", "score=many", "score=NaN", "score=1e999",
        "beta=yes", "beta=True", "beta=1", "since=yesterday", "since=2026-01-01T00:00:00", "version=latest",
        "version=", "sizes=1,x", "account=pro", "name", "=x", ":=1", "a..b=1", ".=1", "name:=ada", "name:=",
        "name:=NaN", "name:=[1", "age:=\udcff",
    ],
)  # fmt: skip
def test_what_can_not_be_read_as_declared_is_refused_with_a_hint(argument: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_arguments([argument], ATTRIBUTES, {})
    assert refused.value.hint


def test_later_attributes_win_and_the_given_context_stays_as_it_is() -> None:
    base = {"account": {"plan": "free", "id": 1}, "name": "ada"}
    found, _ = from_arguments(["account.plan=pro", "name=bob", "name=zoe"], ATTRIBUTES, base)
    assert found == {"account": {"plan": "pro", "id": 1}, "name": "zoe"}
    assert base == {"account": {"plan": "free", "id": 1}, "name": "ada"}


def test_nothing_can_stand_inside_what_is_no_object() -> None:
    with pytest.raises(UsageError, match="no object"):
        from_arguments(["name=ada", "name.first=Ada"], ATTRIBUTES, {})


@pytest.mark.parametrize(
    ("argument", "text", "hint"),
    [
        ("contry=DE", '"contry"', "did you mean country?"),
        ("plan=pro", '"plan"', "did you mean account.plan?"),
        ("targetingkey=x", '"targetingkey"', "did you mean targetingKey?"),
        ("zzz:=1", '"zzz"', ""),
        ("country=GB", "DE, FR", ""),
    ],
)
def test_what_is_odd_is_let_pass_with_a_warning(argument: str, text: str, hint: str) -> None:
    found, warnings = from_arguments([argument], ATTRIBUTES, {})
    assert len(found) == 1
    assert [(text in said, help) for said, help in warnings] == [(True, hint)]


def test_an_undeclared_value_is_text() -> None:
    assert from_arguments(["zzz=42"], ATTRIBUTES, {})[0] == {"zzz": "42"}


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "null", '{"a": NaN}', '{"a": 1', "{'a': 1}", "[" * 100_000, '{"a": "\\ud800"}']
)
def test_a_context_is_one_json_object(text: str) -> None:
    with pytest.raises(UsageError):
        from_json(text)


def test_a_context_may_hold_anything_json_can() -> None:
    assert from_json('{"a": {"b": [1, 2.5, null, true, "é"]}}') == {"a": {"b": [1, 2.5, None, True, "é"]}}


@given(st.text(), st.text())
def test_any_argument_is_read_or_refused(name: str, text: str) -> None:
    for argument in (f"{name}={text}", f"{name}:={text}", *(f"{known}={text}" for known in ATTRIBUTES)):
        try:
            context, _ = from_arguments([argument], ATTRIBUTES, {})
        except UsageError:
            continue
        assert len(context) == 1


FLAGS = {"gallery": flag(), "flow": arms()}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["gallery:true"], {"gallery": "on"}),
        (["gallery:off, flow:b"], {"gallery": "off", "flow": "b"}),
        (["gallery:on", "flow:a"], {"gallery": "on", "flow": "a"}),
    ],
)
def test_previews_name_variants_and_true_means_on(arguments: list[str], wanted: dict[str, str]) -> None:
    assert previews(arguments, FLAGS) == (wanted, [])


def test_true_is_a_name_like_any_other_where_values_are_no_booleans() -> None:
    odd = arms(variants={"true": "A", "on": "B", "c": "C"})
    assert previews(["odd:true"], {"odd": odd})[0] == {"odd": "true"}


def test_a_preview_of_a_flag_that_plays_no_part_is_a_warning() -> None:
    wanted, warnings = previews(["galery:on,flow:a"], FLAGS)
    assert wanted == {"flow": "a"}
    assert "galery" in warnings[0][0]


@pytest.mark.parametrize("argument", ["", "gallery", "gallery:", ":on", "gallery:on,", "gallery:purple", "flow:true"])
def test_a_preview_that_makes_no_sense_is_refused_with_a_hint(argument: str) -> None:
    with pytest.raises(UsageError) as refused:
        previews([argument], FLAGS)
    assert refused.value.hint
