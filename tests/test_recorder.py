"""What is counted of evaluations, who is logged as exposed, and what never leaves the process."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars
import pytest
import redis
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from snapshots import OFF, arms, flag, snapshot, split

from flagctl.client import Client
from flagctl.client.counts import MOST_FLAGS, Counts, Users
from flagctl.client.provider import FlagctlProvider
from flagctl.client.recorder import Batch, Recorder
from flagctl.client.sinks import Call, JsonLines, Parquet, Redis
from flagctl.client.telemetry import EvaluationEvents, Telemetry
from flagctl.compile.snapshot import encode
from flagctl.errors import UsageError

TEST = split("a", 50_000, "b", 100_000, experiment={"name": "checkout-2027"})
LISTED = flag(overrides={"on": ["ada"]}, default=OFF)
FLAGS = {"gallery": flag(), "listed": LISTED, "checkout": arms(default=TEST)}
ATTRIBUTES = {
    "country": {"type": "string"},
    "account": {"type": "object"},
    "email": {"type": "string", "private": True},
}
ATTRIBUTES["account.name"] = {"type": "string", "private": True}


@pytest.fixture
def flags(tmp_path: Path) -> Iterator[Client]:
    """A client that only its test drives."""
    place = tmp_path / "production/snapshot.json"
    place.parent.mkdir()
    place.write_bytes(encode({**snapshot(FLAGS), "attributes": ATTRIBUTES, "version": 7}))
    with Client(f"file:{tmp_path}", "production", cache=False, start=False) as client:
        client.tick()
        yield client


def test_each_evaluation_is_counted_by_variant_and_reason(flags: Client) -> None:
    recorder = Recorder(flags)
    for number in range(40):
        flags.enabled("gallery", user=f"user-{number % 10}")
        flags.variant("checkout", user=f"user-{number % 10}")
    flags.value("nothing", default=1)
    recorder.flush()
    usage = recorder.usage()
    gallery = usage["flags"]["gallery"]
    assert (gallery["evaluations"], gallery["users"]) == (40, 10)
    assert gallery["variants"] == {"on": {"STATIC": 40}}
    checkout = usage["flags"]["checkout"]["variants"]
    assert sum(checkout[arm]["SPLIT"] for arm in ("a", "b")) == 40
    assert usage["flags"]["nothing"]["variants"] == {"": {"ERROR": 1}}
    assert usage["client"]["version"] == 7
    assert gallery["last"] == pytest.approx(flags.time(), abs=60)


@pytest.mark.parametrize("people", [0, 1, 50, 3_000, 100_000])
def test_people_are_counted_to_a_few_percent(people: int) -> None:
    users, spots = Users(), {}
    for number in range(people):
        users.add([f"user-{number}", f"user-{number // 2}", None, ""], spots)
    assert users.count() == pytest.approx(people, rel=0.07)


def test_people_of_two_processes_are_counted_once() -> None:
    one, two, both = Users(), Users(), Users()
    for number in range(5_000):
        (one if number < 3_000 else two).add([str(number)], {})
        both.add([str(number)], {})
    two.add(map(str, range(2_000, 3_000)), {})
    one.merge(two)
    assert one.count() == both.count()


WAYS: dict[str, Callable[[Client, str], object]] = {
    "user": lambda flags, key: flags.enabled(key, user="ada"),
    "context": lambda flags, key: flags.enabled(key, {"targetingKey": "ada", "country": "DE"}),
    "another mapping": lambda flags, key: flags.enabled(key, ChainMap({"country": "DE"}, {"targetingKey": "ada"})),
    "user over context": lambda flags, key: flags.enabled(key, {"targetingKey": "bob"}, user="ada"),
    "attribute": lambda flags, key: flags.enabled(key, targetingKey="ada", country="DE"),
    "attribute over context": lambda flags, key: flags.enabled(key, {"targetingKey": "bob"}, targetingKey="ada"),
    "attribute beside context": lambda flags, key: flags.enabled(key, {"targetingKey": "ada"}, country="DE"),
    "variant": lambda flags, key: flags.variant(key, {"country": "DE"}, user="ada"),
    "value": lambda flags, key: flags.value(key, {"targetingKey": "ada"}, default=False),
    "details": lambda flags, key: flags.details(key, {"targetingKey": "bob"}, targetingKey="ada"),
}


@pytest.mark.parametrize("key", ["gallery", "listed"])
@pytest.mark.parametrize("way", WAYS)
def test_however_a_flag_is_asked_for_it_is_for_whom_it_says(flags: Client, way: str, key: str) -> None:
    context = {"targetingKey": "ada"}
    for _ in range(30):  # by the readable evaluator at first, then by a function
        flags.enabled(key, context)
    recorder = Recorder(flags)
    assert flags.enabled(key, context)
    WAYS[way](flags, key)
    recorder.flush()
    usage = recorder.usage()["flags"][key]
    reason = "STATIC" if key == "gallery" else "TARGETING_MATCH"
    assert (usage["variants"], usage["users"]) == ({"on": {reason: 2}}, 1)


def test_an_application_may_change_its_context_afterwards(flags: Client) -> None:
    rows: list[Any] = []
    recorder = Recorder(flags, sinks=[Call(lambda batch: rows.extend(batch.exposures))], attributes=["country"])
    context = {"country": "DE"}
    for number in range(20):
        context["targetingKey"] = f"user-{number}"
        flags.enabled("listed", context)
        flags.enabled("gallery", context)
        flags.enabled("checkout", context)
    context.clear()
    recorder.flush()
    assert [recorder.usage()["flags"][key]["users"] for key in ("listed", "gallery", "checkout")] == [20, 20, 20]
    assert {(row["user"], row["attributes"]["country"]) for row in rows} == {
        (f"user-{number}", "DE") for number in range(20)
    }


class Unruly(Mapping[str, Any]):
    """An object that can't be looked into."""

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError("not today")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("not today")

    def __len__(self) -> int:
        raise RuntimeError("not today")


def test_whatever_an_application_hands_over_the_rest_is_counted(flags: Client) -> None:
    rows: list[Any] = []
    recorder = Recorder(flags, sinks=[Call(lambda batch: rows.extend(batch.exposures))], attributes=["account.plan"])
    for user in (["ada"], {}, object(), True, 1.5, 10**30, "", "\ud800", 7):
        assert flags.enabled("gallery", user=user)
        flags.enabled("listed", {"targetingKey": user})
    flags.variant("checkout", user="ada", account=Unruly())
    flags.value(["gallery"], default=1)  # type: ignore[arg-type]
    flags.value(5, default=1)  # type: ignore[arg-type]
    recorder.flush()
    usage = recorder.usage()["flags"]
    assert (usage["gallery"]["evaluations"], usage["listed"]["evaluations"]) == (9, 9)
    assert usage["gallery"]["users"] == 2, "text and a whole number name somebody"
    assert usage[""]["variants"] == {"": {"ERROR": 2}}, "what is no flag's key at all is counted together"
    assert [row["user"] for row in rows] == ["ada"]


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("context", [5, "ada", ["targetingKey"], Unruly()], ids=["number", "text", "list", "unruly"])
def test_what_is_no_context_says_nothing_and_raises_nothing(flags: Client, context: Any, counted: bool) -> None:
    recorder = Recorder(flags) if counted else None
    for _ in range(3):  # by the readable evaluator at first, then by a function
        assert flags.enabled("gallery", context)
        assert not flags.enabled("listed", context)
        assert flags.enabled("listed", context, user="ada")
        assert flags.enabled("listed", context, targetingKey="ada")
        assert flags.variant("listed", context) == "off"
        assert flags.value("gallery", context, default=False)
        assert flags.details("gallery", context).value
    if recorder is not None:
        recorder.flush()
        usage = recorder.usage()["flags"]
        assert [(usage[key]["evaluations"], usage[key]["users"]) for key in ("gallery", "listed")] == [(9, 0), (12, 1)]


@pytest.mark.parametrize("key", ["gallery", "listed"])
def test_counting_leaves_a_context_with_defaults_as_it_was(flags: Client, key: str) -> None:
    recorder, context = Recorder(flags), defaultdict(lambda: "ada", country="DE")
    for _ in range(3):
        assert flags.enabled(key, context) is (key == "gallery")
    recorder.flush()
    assert dict(context) == {"country": "DE"}
    assert recorder.usage()["flags"][key]["users"] == 0


def test_the_last_evaluation_was_not_after_the_turn_that_counted_it(flags: Client) -> None:
    recorder = Recorder(flags)
    before = flags.time()
    flags.enabled("gallery", user="ada")
    recorder.flush()
    after = flags.time()
    flags.enabled("listed", user="ada")
    recorder.flush()
    last = {key: recorder.usage()["flags"][key]["last"] for key in ("gallery", "listed")}
    assert before <= last["gallery"] <= after <= last["listed"]


def test_counting_takes_bounded_memory_whatever_is_asked_for() -> None:
    counts = Counts()
    for number in range(MOST_FLAGS + 500):
        counts.of(f"made-up-{number}").counts["", "ERROR"] += 1
    assert len(counts.flags) == MOST_FLAGS + 1
    assert counts.flags[""].counts["", "ERROR"] == 500


def test_a_person_is_exposed_once(flags: Client) -> None:
    batches: list[Batch] = []
    recorder = Recorder(flags, sinks=[Call(batches.append)])
    for _ in range(3):
        flags.variant("checkout", user="ada")
        flags.enabled("gallery", user="ada")
    flags.variant("checkout", user="bob")
    flags.variant("checkout")  # nobody: not in the experiment
    recorder.flush()
    flags.variant("checkout", user="ada")
    recorder.flush()
    rows = [row for batch in batches for row in batch.exposures]
    assert [(row["user"], row["flag"], row["experiment"]) for row in rows] == [
        ("ada", "checkout", "checkout-2027"),
        ("bob", "checkout", "checkout-2027"),
    ]
    assert rows[0]["variant"] == flags.variant("checkout", user="ada")
    assert (rows[0]["environment"], rows[0]["version"]) == ("production", 7)
    assert batches[1].tally == {("checkout", rows[0]["variant"], "SPLIT", None): 1}


def test_private_attributes_stay(flags: Client) -> None:
    rows: list[Any] = []
    names = ["country", "email", "account", "account.name", "plan"]
    recorder = Recorder(flags, sinks=[Call(lambda batch: rows.extend(batch.exposures))], attributes=names)
    flags.variant("checkout", user="ada", country="DE", email="a@b.c", account={"name": "Ada"}, plan="pro")
    recorder.flush()
    assert rows[0]["attributes"] == {"country": "DE", "plan": "pro"}


def test_a_private_targeting_key_stays(tmp_path: Path, flags: Client) -> None:
    private = {"targetingKey": {"type": "string", "private": True}}
    (tmp_path / "production/snapshot.json").write_bytes(
        encode({**snapshot(FLAGS), "attributes": private, "version": 8})
    )
    flags.tick(told=True)
    rows: list[Any] = []
    recorder = Recorder(flags, sinks=[Call(lambda batch: rows.extend(batch.exposures))])
    flags.variant("checkout", user="ada")
    recorder.flush()
    assert "ada" not in json.dumps(rows)
    assert rows[0]["flag"] == "checkout"


def test_a_full_queue_drops_and_counts_and_never_waits(flags: Client) -> None:
    recorder = Recorder(flags, limit=100)
    threads = [
        threading.Thread(target=lambda: [flags.enabled("gallery", user="ada") for _ in range(1_000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.flush()
    counted = recorder.usage()["flags"]["gallery"]["evaluations"]
    assert 100 <= counted <= 104, "four threads may each have looked at the last free place"
    assert recorder.usage()["account"]["dropped"] == 4_000 - counted


def test_the_limit_is_that_of_all_flags_together(tmp_path: Path) -> None:
    flags = {f"{kind}-{number}": parts for number in range(30) for kind, parts in (("c", flag()), ("l", LISTED))}
    place = tmp_path / "production/snapshot.json"
    place.parent.mkdir()
    place.write_bytes(encode(snapshot(flags)))
    with Client(f"file:{tmp_path}", "production", cache=False, start=False) as client:
        client.tick()
        recorder = Recorder(client, limit=100)
        for _ in range(3):
            for number in range(50):
                for key in flags:
                    client.enabled(key, user=f"user-{number}")
            recorder.flush()
        usage = recorder.usage()
        assert sum(of["evaluations"] for of in usage["flags"].values()) <= 300
        assert sum(of["evaluations"] for of in usage["flags"].values()) + usage["account"]["dropped"] == 3 * 50 * 60


def test_a_book_that_is_half_full_wakes_the_clients_thread(tmp_path: Path, flags: Client) -> None:
    counted: list[Batch] = []
    enough = threading.Event()

    def write(batch: Batch) -> None:
        counted.append(batch)
        if sum(sum(each.tally.values()) for each in counted) >= 100:
            enough.set()

    with Client(f"file:{tmp_path}", "production", cache=False, refresh=3600) as driven:
        recorder = Recorder(driven, sinks=[Call(write)], every=3600, limit=200)
        assert recorder.counts.flags == {}
        for _ in range(150):
            driven.enabled("gallery", user="ada")
        assert enough.wait(10)


def test_counts_go_on_when_another_snapshot_takes_over(tmp_path: Path, flags: Client) -> None:
    recorder = Recorder(flags)
    changes = {"gallery": LISTED, "listed": flag(), "checkout": FLAGS["checkout"]}
    for version, snapshot_of in ((8, changes), (9, FLAGS), (10, changes)):
        for _ in range(20):
            for key in FLAGS:
                flags.enabled(key, user="ada")
        (tmp_path / "production/snapshot.json").write_bytes(encode({**snapshot(snapshot_of), "version": version}))
        flags.tick(told=True)
        with flags.preview("gallery:off"):
            assert flags.enabled("gallery", user="ada") is False
    recorder.flush()
    usage = recorder.usage()["flags"]
    assert usage["gallery"]["variants"] == {"on": {"STATIC": 40, "TARGETING_MATCH": 20}, "off": {"TARGETING_MATCH": 3}}
    assert usage["listed"]["variants"] == {"on": {"STATIC": 20, "TARGETING_MATCH": 40}}
    assert usage["checkout"]["evaluations"] == 60


def test_every_evaluation_is_counted_or_dropped_while_others_take_turns(flags: Client) -> None:
    recorder = Recorder(flags, limit=1_000)
    asked, people, threads = 20_000, 7, 4
    running = threading.Event()

    def ask(first: int) -> None:
        running.wait()
        for number in range(first, first + asked):
            flags.enabled("gallery", user=f"user-{number % people}")
            flags.enabled("listed", user=f"user-{number % people}")
            flags.enabled("checkout", user=f"user-{number % people}")

    def flush() -> None:
        while any(thread.is_alive() for thread in asking):
            recorder.flush()

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    flushing = [threading.Thread(target=flush) for _ in range(2)]
    for thread in asking:
        thread.start()
    for thread in flushing:
        thread.start()
    running.set()
    for thread in asking + flushing:
        thread.join()
    recorder.flush()
    usage = recorder.usage()
    counted = sum(of["evaluations"] for of in usage["flags"].values())
    assert counted + usage["account"]["dropped"] == 3 * asked * threads
    assert [of["users"] for of in usage["flags"].values()] == [people] * 3


def test_a_sink_that_fails_is_given_the_same_again(flags: Client) -> None:
    taken: list[Batch] = []
    broken = True

    def write(batch: Batch) -> None:
        if broken:
            raise OSError("disk full")
        taken.append(batch)

    recorder = Recorder(flags, sinks=[Call(write)])
    for name in ("ada", "bob"):
        flags.variant("checkout", user=name)
        recorder.flush()
    assert (recorder.written.failures, taken) == (2, [])
    broken = False
    recorder.flush()
    assert [row["user"] for batch in taken for row in batch.exposures] == ["ada", "bob"]
    assert recorder.written.lost == 0


def test_a_sink_that_fails_for_too_long_loses_the_oldest_and_says_so(flags: Client) -> None:
    def write(batch: Batch) -> None:
        raise OSError("no route to host")

    recorder = Recorder(flags, sinks=[Call(write)], limit=20)
    for number in range(60):
        flags.variant("checkout", user=f"user-{number}")
        recorder.flush()
    waiting = sum(len(batch.exposures) for batch in recorder._waiting[0])
    assert waiting <= 20
    assert recorder.written.lost == 60 - waiting


def test_the_clients_thread_does_it(tmp_path: Path, flags: Client) -> None:
    done = threading.Event()
    with Client(f"file:{tmp_path}", "production", cache=False, refresh=3600) as driven:
        Recorder(driven, sinks=[Call(lambda batch: done.set())], every=0.05)
        driven.enabled("gallery", user="ada")
        assert done.wait(10)


def test_what_waits_at_the_end_is_written(tmp_path: Path, flags: Client) -> None:
    file = tmp_path / "exposures.jsonl"
    with Client(f"file:{tmp_path}", "production", cache=False, refresh=3600) as driven:
        Recorder(driven, sinks=[JsonLines(file)], every=3600)
        driven.variant("checkout", user="ada")
    assert json.loads(file.read_text())["user"] == "ada"


def test_a_child_of_a_fork_writes_its_own_and_not_its_parents(flags: Client) -> None:
    taken: list[Batch] = []
    recorder = Recorder(flags, sinks=[Call(taken.append)])
    flags.variant("checkout", user="parent")
    forks = multiprocessing.get_context("fork")
    answers = forks.SimpleQueue()

    def child() -> None:
        flags.variant("checkout", user="child")
        recorder.flush()
        answers.put([row["user"] for batch in taken for row in batch.exposures])

    process = forks.Process(target=child)
    process.start()
    assert answers.get() == ["child"]
    process.join(20)
    recorder.flush()
    assert [row["user"] for batch in taken for row in batch.exposures] == ["parent"]


# Where it goes


def expose(flags: Client, sink: Any, people: int = 5) -> None:
    recorder = Recorder(flags, sinks=[sink], attributes=["country"])
    for number in range(people):
        flags.variant("checkout", user=f"user-{number}", country="DE")
    recorder.flush()
    assert recorder.written.failures == 0


def test_json_lines_are_added_to(tmp_path: Path, flags: Client) -> None:
    file = tmp_path / "exposures.jsonl"
    expose(flags, JsonLines(file))
    expose(flags, JsonLines(file), people=2)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["user"] for row in rows] == ["user-0", "user-1", "user-2", "user-3", "user-4", "user-0", "user-1"]


def test_parquet_files_are_whole(tmp_path: Path, flags: Client) -> None:
    expose(flags, Parquet(tmp_path / "out"))
    frame = polars.read_parquet(tmp_path / "out/*.parquet")
    assert frame["user"].to_list() == [f"user-{number}" for number in range(5)]
    assert set(frame["attributes"]) == {'{"country":"DE"}'}
    assert not list((tmp_path / "out").glob(".*"))


def test_redis_gets_two_streams(redis_port: int, flags: Client) -> None:
    url = f"redis://127.0.0.1:{redis_port}/0"
    with redis.Redis.from_url(url) as there:
        there.delete("flagctl:{production}:exposures", "flagctl:{production}:usage")
        expose(flags, Redis(url))
        exposures = [json.loads(entry[b"json"]) for _, entry in there.xrange("flagctl:{production}:exposures")]
        (usage,) = [json.loads(entry[b"json"]) for _, entry in there.xrange("flagctl:{production}:usage")]
    assert [row["user"] for row in exposures] == [f"user-{number}" for number in range(5)]
    assert sum(count["count"] for count in usage["counts"]) == 5


@pytest.fixture
def observed() -> Iterator[tuple[MeterProvider, LoggerProvider, Callable[[], dict[str, Any]], Any]]:
    reader, exporter = InMemoryMetricReader(), InMemoryLogRecordExporter()
    meters, loggers = MeterProvider([reader]), LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(exporter))

    def points() -> dict[str, Any]:
        data = reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics  # type: ignore[union-attr]
        return {
            metric.name: [(dict(point.attributes or {}), point.value) for point in metric.data.data_points]  # type: ignore[union-attr]
            for metric in metrics
        }

    yield meters, loggers, points, exporter
    meters.shutdown()
    loggers.shutdown()  # type: ignore[no-untyped-call]


def test_opentelemetry_counts_evaluations_and_logs_exposures(flags: Client, observed: Any) -> None:
    meters, loggers, points, exporter = observed
    recorder = Recorder(flags, sinks=[Telemetry(meters, loggers)])
    flags.variant("checkout", user="ada")
    flags.enabled("gallery")
    flags.enabled("gallery")
    flags.enabled("nothing")
    recorder.flush()
    found = points()
    gallery = {"feature_flag.key": "gallery", "feature_flag.provider.name": "flagctl"}
    assert (gallery, 2) in found["feature_flag.evaluation_requests_total"]
    success = gallery | {"feature_flag.result.reason": "static", "feature_flag.result.variant": "on"}
    assert (success, 2) in found["feature_flag.evaluation_success_total"]
    assert found["feature_flag.evaluation_error_total"] == [
        ({"feature_flag.key": "nothing", "feature_flag.provider.name": "flagctl", "error.type": "flag_not_found"}, 1)
    ]
    (event,) = [data.log_record for data in exporter.get_finished_logs()]
    assert event.event_name == "feature_flag.evaluation"
    assert dict(event.attributes) == {
        "feature_flag.key": "checkout",
        "feature_flag.provider.name": "flagctl",
        "feature_flag.set.id": "production",
        "feature_flag.version": "7",
        "feature_flag.result.reason": "split",
        "feature_flag.result.variant": flags.variant("checkout", user="ada"),
        "feature_flag.context.id": "ada",
    }


def test_an_openfeature_hook_logs_each_evaluation(flags: Client, observed: Any) -> None:
    _, loggers, _, exporter = observed
    api.set_provider_and_wait(FlagctlProvider(flags))
    client = api.get_client()
    client.add_hooks([EvaluationEvents("production", logger_provider=loggers)])
    client.get_boolean_value("gallery", False, EvaluationContext("ada"))
    client.get_boolean_value("nothing", False)
    api.shutdown()
    api.clear_providers()
    good, bad = [dict(data.log_record.attributes) for data in exporter.get_finished_logs()]
    assert (good["feature_flag.key"], good["feature_flag.result.variant"]) == ("gallery", "on")
    assert "ada" not in good.values(), "the targeting key is a person's unless the application says otherwise"
    assert bad == {
        "feature_flag.key": "nothing",
        "feature_flag.provider.name": "flagctl",
        "feature_flag.set.id": "production",
        "feature_flag.result.reason": "error",
        "feature_flag.result.value": False,
        "error.type": "flag_not_found",
        "feature_flag.error.message": 'no flag "nothing" in this snapshot',
    }
    assert "feature_flag.result.value" not in good, "the variant says it"


def test_what_can_not_be_written_keeps_nothing_else_from_a_sink(flags: Client, tmp_path: Path) -> None:
    """An attribute may be anything, and so may a name and a key that come with a request."""
    recorder = Recorder(flags, sinks=[JsonLines(tmp_path / "rows")], attributes=["country", "page"], every=3600)
    flags.variant("checkout", user="ada", country="DE", page=object())
    flags.variant("checkout", user="bob\ud800", country="DE", page="\ud800")
    flags.variant("nothing\ud800", user="eve")
    flags.variant("checkout", user="eve", country="DE", page="/")
    recorder.flush()
    rows = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert [(row["user"], row["attributes"]) for row in rows] == [
        ("ada", {"country": "DE", "page": None}),
        ("bob\\ud800", {"country": "DE", "page": None}),
        ("eve", {"country": "DE", "page": "/"}),
    ]
    assert recorder.written.failures == 0
    assert json.loads(json.dumps(recorder.usage()))["flags"][""]["evaluations"] == 1


def test_a_sink_that_fails_is_told_in_the_log_once(
    flags: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(flags, sinks=[JsonLines(tmp_path / "folder/rows")], every=3600)
    for user in ("ada", "bob"):
        flags.variant("checkout", user=user)
        recorder.flush()
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 1
    assert "a recorder's JsonLines failed: FileNotFoundError" in said[0]
    (tmp_path / "folder").mkdir()
    recorder.flush()
    assert len((tmp_path / "folder/rows").read_text().splitlines()) == 2


def test_what_is_no_sink_is_told_at_once(flags: Client) -> None:
    with pytest.raises(UsageError, match="is no sink") as caught:
        Recorder(flags, sinks=[print])  # type: ignore[list-item]
    assert "Call(function)" in caught.value.hint
    with pytest.raises(UsageError, match="is no Redis"):
        Redis("s3://bucket")
