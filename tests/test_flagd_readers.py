"""What flagd and OpenFeature's flagd provider find where flagctl publishes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from servers import BUCKET, Place


@pytest.fixture
def publish(repo: Path, flagctl: Callable[..., Any]) -> Callable[[str], None]:
    """publish(url) sends the small repository's production there."""

    def run(url: str) -> None:
        done = flagctl("publish", "production", "--target", url)
        assert done.returncode == 0, done.stderr
        assert "flagd.json" in done.stdout

    return run


def test_openfeatures_flagd_provider_reads_the_published_folder_as_it_is(
    repo: Path, publish: Callable[[str], None]
) -> None:
    publish("file:published")
    file = repo / "published/production/flagd.json"
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file))
    api.set_provider_and_wait(provider)
    try:
        client = api.get_client()
        staff = EvaluationContext("ada", {"email": "ada@example.com"})
        found = client.get_boolean_details("wishlist-gallery", False, staff)
        assert (found.value, found.variant, found.error_code) == (True, "on", None)
        assert client.get_boolean_value("wishlist-edit", False, staff) is True
    finally:
        api.shutdown()


def get(url: str, **headers: str) -> tuple[int, Any, bytes]:
    """As flagd's http sync asks (core/pkg/sync/http/http_sync.go)."""
    request = urllib.request.Request(url, headers={"Accept": "application/json", **headers})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, b""


def test_flagd_can_poll_the_object_in_s3(
    repo: Path, make_place: Callable[[str], Place], publish: Callable[[str], None], git: Callable[..., str]
) -> None:
    place = make_place("s3")
    publish(place.url)
    store = place.open()
    url = store.client.generate_presigned_url("get_object", store.place("production/flagd.json"))
    assert url.partition("?")[0].endswith(f"/{BUCKET}/{store.prefix}production/flagd.json")
    status, headers, body = get(url)
    # http: the path's ending and Content-Type say how to parse; s3: (core/pkg/sync/blob) takes the bytes as they lie.
    assert (status, headers["Content-Type"], headers["Content-Encoding"]) == (200, "application/json", None)
    assert json.loads(body)["flags"].keys() == {"wishlist-gallery", "wishlist-edit"}
    assert get(url, **{"If-None-Match": headers["ETag"]})[0] == 304
    before = store.client.head_object(**store.place("production/flagd.json"))

    file = repo / "flags/production/wishlist-gallery.yaml"
    file.write_text(file.read_text().replace("rollout: 25", "rollout: 50"))
    git(repo, "commit", "-qam", "More")
    publish(place.url)
    status, again, body = get(url, **{"If-None-Match": headers["ETag"]})
    assert (status, json.loads(body)["metadata"]["version"]) == (200, "2")
    assert again["ETag"] != headers["ETag"]
    # s3: fetches when the time of modification changed, and warns when it went back.
    after = store.client.head_object(**store.place("production/flagd.json"))
    assert after["LastModified"] >= before["LastModified"]


def test_the_snapshot_in_s3_says_that_it_is_compressed_and_which_version_it_is(
    make_place: Callable[[str], Place], publish: Callable[[str], None]
) -> None:
    place = make_place("s3")
    publish(place.url)
    store = place.open()
    found = store.client.head_object(**store.place("production/snapshot.json"))
    assert (found["ContentEncoding"], found["ContentType"], found["CacheControl"]) == (
        "gzip",
        "application/json",
        "no-cache",
    )
    assert found["Metadata"]["flagctl-version"] == "1"
    (entry,) = store.keys("production/history/")
    assert "immutable" in store.client.head_object(**store.place(entry))["CacheControl"]
