"""flagctl behind OpenFeature's own SDK: values, details, metadata, and the events of a provider."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import operator
import pickle
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails
from snapshots import arms, flag, rule, snapshot, test

from flagctl.client.provider import FlagctlProvider
from flagctl.compile.snapshot import encode

Publish = Callable[[int, dict[str, Any]], None]
ADA = EvaluationContext("ada", {"country": "DE"})
SIZE = {"type": "integer", "variants": {"big": 50, "off": 10}, "default": {"serve": "big"}}
BOX = {"type": "object", "variants": {"full": {"a": [1]}, "off": {}}, "default": {"serve": "full"}}


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """publish(version, flags): what production's live file holds from now on."""

    def put(version: int, flags: dict[str, Any]) -> None:
        place = tmp_path / "production/snapshot.json"
        place.parent.mkdir(exist_ok=True)
        place.with_suffix(".new").write_bytes(encode({**snapshot(flags), "version": version}))
        place.with_suffix(".new").replace(place)

    return put


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., OpenFeatureClient]]:
    """connect() -> an OpenFeature client of a provider that reads that file."""

    def open_client(**options: Any) -> OpenFeatureClient:
        api.set_provider_and_wait(FlagctlProvider(f"file:{tmp_path}", "production", cache=False, **options))
        return api.get_client()

    yield open_client
    api.shutdown()
    api.clear_providers()


Connect = Callable[..., OpenFeatureClient]


def test_all_five_types(publish: Publish, connect: Connect) -> None:
    publish(1, {"gallery": flag(), "page": arms(), "size": flag(**SIZE), "box": flag(**BOX)})
    flags = connect()
    assert flags.get_boolean_value("gallery", False) is True
    assert flags.get_string_value("page", "?") == "A"
    assert flags.get_integer_value("size", 1) == 50
    assert flags.get_float_value("size", 1.5) == 50.0
    assert flags.get_object_value("box", {}) == {"a": [1]}
    assert flags.get_object_value("box", [1]) == {"a": [1]}


def test_all_five_types_awaited(publish: Publish, connect: Connect) -> None:
    publish(1, {"gallery": flag(), "page": arms(), "size": flag(**SIZE), "box": flag(**BOX)})
    flags = connect()

    async def ask() -> list[Any]:
        return [
            await flags.get_boolean_value_async("gallery", False),
            await flags.get_string_value_async("page", "?"),
            await flags.get_integer_value_async("size", 1),
            await flags.get_float_value_async("size", 1.5),
            await flags.get_object_value_async("box", {}),
        ]

    assert asyncio.run(ask()) == [True, "A", 50, 50.0, {"a": [1]}]


def test_details_say_which_rule_and_of_which_version(publish: Publish, connect: Connect) -> None:
    german = rule("german", test("country", "equals", "DE"), serve="b")
    about = {"owner": "growth", "kind": "release", "description": "A flag.", "version": 4, "owner_email": "a@b.c"}
    publish(7, {"page": arms(rules=[german], metadata=about)})
    found = connect().get_string_details("page", "?", ADA)
    assert (found.value, found.variant, found.reason, found.error_code) == ("B", "b", "TARGETING_MATCH", None)
    assert found.flag_metadata == {
        "owner": "growth",
        "kind": "release",
        "version": 4,
        "rule": "german",
        "snapshot_version": 7,
    }


def test_metadata_is_a_dict_that_nobody_changes(publish: Publish, connect: Connect) -> None:
    publish(7, {"page": arms()})
    found = connect().get_string_details("page", "?")
    plain = {"owner": "growth", "kind": "release", "snapshot_version": 7}
    for change in (
        lambda: found.flag_metadata.update(owner="me"),  # type: ignore[attr-defined]
        lambda: found.flag_metadata.pop("owner"),  # type: ignore[attr-defined]
        lambda: operator.ior(found.flag_metadata, {"owner": "me"}),
    ):
        with pytest.raises(TypeError, match="can't be changed"):
            change()
    assert found.flag_metadata == plain
    assert json.loads(json.dumps(found.flag_metadata)) == plain
    assert dataclasses.asdict(found)["flag_metadata"] == plain
    assert copy.deepcopy(found) == pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    ("kind", "key", "default", "code"),
    [
        ("boolean", "nothing", True, ErrorCode.FLAG_NOT_FOUND),
        ("boolean", "page", True, ErrorCode.TYPE_MISMATCH),
        ("integer", "gallery", 3, ErrorCode.TYPE_MISMATCH),
        ("float", "page", 1.5, ErrorCode.TYPE_MISMATCH),
        ("string", "gallery", "x", ErrorCode.TYPE_MISMATCH),
        ("object", "page", {"a": 1}, ErrorCode.TYPE_MISMATCH),
    ],
)
def test_an_error_gives_the_default(
    publish: Publish, connect: Connect, kind: str, key: str, default: Any, code: ErrorCode
) -> None:
    publish(1, {"gallery": flag(), "page": arms()})
    found = getattr(connect(), f"get_{kind}_details")(key, default)
    assert (found.value, found.reason, found.error_code) == (default, "ERROR", code)


def test_a_moment_in_the_context_is_compared_as_one(publish: Publish, connect: Connect) -> None:
    later = rule("later", test("signed_up", "after", 1_800_000_000), serve="b")
    publish(1, {"page": arms(rules=[later])})
    flags = connect()
    moment = datetime.fromtimestamp(1_800_000_001, UTC)
    assert flags.get_string_value("page", "?", EvaluationContext("ada", {"signed_up": moment})) == "B"
    naive = moment.replace(tzinfo=None)
    assert flags.get_string_value("page", "?", EvaluationContext("ada", {"signed_up": naive})) == "A"


def test_a_change_is_told_with_the_flags_it_touches(publish: Publish, connect: Connect) -> None:
    publish(1, {"gallery": flag(), "page": arms()})
    flags = connect()
    heard: list[EventDetails] = []
    told = threading.Event()

    def changed(details: EventDetails) -> None:
        heard.append(details)
        told.set()

    flags.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, changed)
    publish(2, {"gallery": flag(enabled=False), "page": arms()})
    assert told.wait(10)
    assert heard[0].flags_changed == ["gallery"]
    assert heard[0].metadata == {"version": 2}
    assert flags.get_boolean_value("gallery", True) is False


def test_a_provider_that_finds_nothing_is_in_error_and_ready_when_there_is_something(
    publish: Publish, connect: Connect, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match="no snapshot yet"):
        connect(wait=1, refresh=0.05)
    flags = api.get_client()
    assert flags.get_provider_status() in (ProviderStatus.ERROR, ProviderStatus.NOT_READY)
    assert flags.get_boolean_value("gallery", True) is True
    ready = threading.Event()
    flags.add_handler(ProviderEvent.PROVIDER_READY, lambda details: ready.set())
    publish(1, {"gallery": flag(enabled=False)})
    assert ready.wait(10)
    assert flags.get_boolean_value("gallery", True) is False


def test_a_snapshot_that_is_refused_is_an_error_and_the_next_one_ends_it(
    publish: Publish, connect: Connect, tmp_path: Path
) -> None:
    publish(1, {"gallery": flag()})
    flags = connect()
    heard: list[tuple[ProviderEvent, str | None]] = []
    told = threading.Condition()

    def listens(event: ProviderEvent) -> Callable[[EventDetails], None]:
        def hears(details: EventDetails) -> None:
            with told:
                heard.append((event, details.message))
                told.notify_all()

        return hears

    for event in (ProviderEvent.PROVIDER_ERROR, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED):
        flags.add_handler(event, listens(event))
    (tmp_path / "bad").write_text("{}")
    (tmp_path / "bad").replace(tmp_path / "production/snapshot.json")
    with told:
        assert told.wait_for(lambda: heard, 10)
    assert heard[0][0] == ProviderEvent.PROVIDER_ERROR
    assert "is refused" in (heard[0][1] or "")
    assert flags.get_provider_status() == ProviderStatus.ERROR
    assert flags.get_boolean_value("gallery", False) is True, "it goes on answering"
    publish(2, {"gallery": flag(enabled=False)})
    with told:
        assert told.wait_for(lambda: len(heard) > 1, 10)
    assert heard[1][0] == ProviderEvent.PROVIDER_CONFIGURATION_CHANGED
    assert flags.get_provider_status() == ProviderStatus.READY


def test_tracking_goes_to_who_is_named(publish: Publish, connect: Connect) -> None:
    publish(1, {})
    seen: list[Any] = []
    flags = connect(track=lambda name, context, details: seen.append((name, context, details.value)))
    flags.track("bought", ADA, TrackingEventDetails(value=9.5))
    assert seen == [("bought", {"targetingKey": "ada", "country": "DE"}, 9.5)]
