"""Versions of a file read one after the other: what was kept of the last never shows in the next."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flagctl.files import read
from flagctl.files.pieces import Pieces
from flagctl.files.understand import understand
from flagctl.files.walk import classify

PATH = "flags/production/x.yaml"
HEAD = "description: a flag\nowner: {team: t}\n"
FIELDS = (
    "enabled: true\n", "enabled: 1\n", "enabled: 1.0\n", "enabled:\n", "enabled: false # why\n", "enabled : false\n",
    "tags: [a, b]\n", "tags:\n- a\n- b\n", "tags: [a,\nb]\n", "tags: [a,\nenabled: b]\n", "tags: [a\n", "a]: b\n",
    "description: |\n  a\n\n", "description: |+\n  a\n\n\n", "description: |-\n  a\n", "description: >\n  a\n  b\n",
    'description: "a\n  b"\n', 'description: "a\nenabled: true"\n', 'description: "a\n', 'enabled: y"\n', "'''\n",
    "description: a\n  enabled: true\n", "description: a\n b\n", "description: a & b\n", "description: x*\n",
    "owner: &one {team: t}\n", "owner: *one\n", "owner: &one {team: u}\n", "<<: *one\n", "rules: !!set {a}\n",
    "true: 1\n", "null: 1\n", "on: 1\n", "2: 3\n", '"enabled": true\n', "? enabled\n: true\n", "foo-bar: 1\n",
    "# a comment\n", "\n", " # indented\n", "---\n", "...\n", "%YAML 1.1\n", "- a\n", "{enabled: true}\n", "word\n",
    "enabled:true\n", "enabled:\ttrue\n", "\tenabled: true\n", "description: a\r\n", "\ufeffenabled: true\n",
    "description: \x07\n", "# \udcff\n", "description: \udcff\n", "expires_at: 2030-01-01\n", "ttl: 0x1F\n",
    "variants: {a: {b: [1, 1.0, true, null]}}\n", "variants: {a: {1: 2}}\n", "variants: 99999999999999999999\n",
    "ttl: 012\n", f"variants: {'[' * 31}{']' * 31}\n", f"variants: {'[' * 32}{']' * 32}\n", f"variants: {'- ' * 20}a\n",
    "<<<<<<< ours\n", "rules: [{name: a, when: [], rollout: 5}]\n", "rules: [{name: a, when: [], rollout: 6}]\n",
    "no newline at the end",
)  # fmt: skip
versions = st.lists(st.lists(st.sampled_from(FIELDS), max_size=5).map("".join), min_size=2, max_size=4)


@settings(deadline=None, max_examples=1500)
@given(versions)
@example(["enabled: true\ntags: [a]\n", "enabled: 1\ntags: [a]\n", "enabled: 1.0\ntags: [a]\n"])
@example(["description: |\n  a\nenabled: true\n", "enabled: true\ndescription: |\n  a\n"])
@example(["description: |+\n  a\n\nenabled: true\n", "enabled: 1\ndescription: |+\n  a\n\n\n"])
@example(['description: "a\nenabled: b"\nenabled : true\n', 'description: "a\nenabled: c"\n'])
@example(["owner: &one {team: t}\nvariants: *one\n", "owner: &one {team: u}\nvariants: *one\n"])
def test_each_version_reads_as_it_does_alone(texts: list[str]) -> None:
    pieces = Pieces()
    for text in texts:
        raw = text.encode("utf-8", "surrogateescape")
        # repr tells 1, 1.0 and True apart
        assert repr(pieces.load(raw, PATH)) == repr(read.load(raw, PATH))


def test_what_did_not_change_is_the_same_object() -> None:
    pieces = Pieces()
    rules = "rules:\n  - {name: a, when: [{attribute: b, in: [c]}], rollout: %d}\n"
    texts = [HEAD + part for part in (rules % 5 + "enabled: true\n", rules % 5 + "enabled: false\n", rules % 6)]
    first, second, third = (understand(classify(PATH), text.encode(), pieces=pieces).model for text in texts)
    assert (first.enabled, second.enabled) == (True, False)
    assert first.rules is second.rules
    assert [model.rules[0].outcome.share for model in (second, third)] == [5_000, 6_000]


PARTS = (
    "type: string\nvariants: {on: a, off: b}\noff_variant: off\n", "type: boolean\n", "", "overrides: {true: [a]}\n",
    "overrides: {on: [a]}\n", "overrides: {on: [b], true: [a]}\n", "default: {rollout: 5}\n",
    "default: {rollout: 5.00001}\n", "default: {serve: true}\n", "default: {serve: on}\n", "default: {serve: off}\n",
    "rules:\n  - {name: a, when: [{attribute: b, equals: 1}], serve: on}\n",
    "rules:\n  - {name: a, when: [{attribute: b, equals: 1.0}], serve: on}\n",
    "rules:\n  - {name: a, when: [{attribute: b, equals: true}], serve: true}\n",
    "rules:\n  - {name: a, when: [{attribute: b, equals: true}], serve: true}\n  - {name: c, when: [], rollout: 1}\n",
    "rules:\n  - {name: c, when: [], rollout: 1}\n", "rules:\n  - {name: c, when: [], rollout: 1.23456}\n",
    "schedule: [{at: 2030-01-01, enabled: true}]\n", "schedule: [{at: 2030-01-01T00:00, enabled: true}]\n",
)  # fmt: skip


@settings(deadline=None, max_examples=600)
@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=4, unique=True).map("".join), min_size=2, max_size=4))
def test_each_version_means_what_it_does_alone_problems_included(texts: list[str]) -> None:
    pieces = Pieces()
    for text in texts:
        raw = (HEAD + text).encode()
        assert repr(understand(classify(PATH), raw, pieces=pieces)) == repr(understand(classify(PATH), raw))
