"""boto3's client for an address, and its errors in our words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flagctl.errors import FlagctlError, OutsideError
from flagctl.stores.masking import scrub
from flagctl.stores.patience import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.stores.address import Address

_ATTEMPTS = 4
_CONNECT = 5
_TIMEOUT = 15
_SILENCES = 2
"""How often one request may meet silence: who says «not now» gets better by waiting, who says nothing seldom does."""
_WORDS = {
    "404": ("what answers there is no S3 service, or has no such bucket", "look at `endpoint` and the bucket's name"),
    "NoSuchBucket": ("there is no such bucket", "make it, or look at its name and at `endpoint`"),
    "AccessDenied": ("access is denied", "publishing needs s3:GetObject, s3:PutObject and s3:ListBucket there"),
    "403": ("access is denied", "publishing needs s3:GetObject, s3:PutObject and s3:ListBucket there"),
    "InvalidAccessKeyId": ("it doesn't know the access key", "look at AWS_ACCESS_KEY_ID or the profile"),
    "SignatureDoesNotMatch": ("it doesn't accept the secret key", "look at both access keys, or the profile"),
    "RequestTimeTooSkewed": ("the clock here is wrong, or the service's is", "compare them; timedatectl sets this one"),
    "ExpiredToken": ("the credentials have expired", "sign in again (aws sso login)"),
    "SlowDown": ("it asks for fewer requests, also after some time", "publish again in a minute"),
    "InternalError": ("the service failed, also when it was asked again", "publish again in a minute"),
    "500": ("the service failed, also when it was asked again", "publish again in a minute"),
    "503": ("it is not available, also after some time", "publish again in a minute"),
    "PermanentRedirect": ("the bucket is in another region", "say `region`, or set AWS_REGION"),
    "NotImplemented": ("it does not support conditional writes", "publish again: this is known now"),
    "501": ("it does not support conditional writes", "publish again: this is known now"),
}  # fmt: skip


def client_for(address: Address) -> Any:
    """A client; credentials are found by boto3 itself. Time-outs and attempts are bounded."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    options = address.options
    endpoint = options.get("endpoint")
    # Services other than Amazon's seldom have a host name for each bucket.
    wanted = options.get("path_style", True if endpoint else None)
    style = "auto" if wanted is None else "path" if wanted else "virtual"
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_timeout(address),
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        s3={"addressing_style": style},
        # Services other than Amazon's may not know the checksums that boto3 adds by itself.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="flagctl",
    )
    try:
        session = boto3.Session(region_name=options.get("region"))
        region = session.region_name or "us-east-1"
        client = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise OutsideError(f"can't open {address.shown}: {scrub(str(error), address.secrets)}") from None
    client.meta.events.register_first("needs-retry.s3", _give_up_silence)
    return client


def _give_up_silence(request_dict: dict[str, Any], caught_exception: Exception | None, **about: Any) -> None:
    """Asked before botocore is whether to try again: it counts all failures alike."""
    from botocore.exceptions import ReadTimeoutError

    if isinstance(caught_exception, ReadTimeoutError):
        met = request_dict["context"]["flagctl-silences"] = request_dict["context"].get("flagctl-silences", 0) + 1
        if met >= _SILENCES:
            raise caught_exception


def _timeout(address: Address) -> int:
    return int(address.options.get("timeout", _TIMEOUT))


def body_of(answer: Any, address: Address) -> bytes:
    """The whole body of an answer, which may not take for ever."""
    body = answer["Body"]
    # botocore's own `read` waits until it has as much as was asked for, so the stream beneath it is read.
    return read_all(getattr(body._raw_stream, "read1", body.read), _timeout(address))


def code_of(error: Any) -> str:
    """S3's code of an error, or the HTTP status as text."""
    return str(error.response.get("Error", {}).get("Code") or status_of(error))


def status_of(error: Any) -> int:
    """The HTTP status of an error."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def outside(address: Address, doing: str) -> Iterator[None]:
    """Errors of boto3 and of sockets as OutsideError, with nothing secret in them."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, ReadTimeoutError
    from botocore.exceptions import ConnectionError as UnreachableError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except FlagctlError:
        raise
    except NoCredentialsError:
        raise OutsideError(
            f"can't {doing} {address.shown}: no credentials were found",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where there is a role",
        ) from None
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message") or f"status {status_of(error)}"
        words, hint = _WORDS.get(code_of(error)) or _WORDS.get(str(status_of(error))) or ("", "")
        why = (
            f"{words} ({scrub(said, address.secrets)})"
            if words
            else f"{code_of(error)}: {scrub(said, address.secrets)}"
        )
        raise OutsideError(f"can't {doing} {address.shown}: {why}", hint=hint) from None
    except (BotoCoreError, HTTPError, OSError) as error:
        unreachable = isinstance(error, (HTTPClientError, UnreachableError, HTTPError, OSError))
        hint = "is it running, and is the address right?" if unreachable else ""
        if isinstance(error, ReadTimeoutError):
            hint += f" If it is only slow, `timeout: {2 * _timeout(address)}` beside its url waits longer"
        raise OutsideError(f"can't {doing} {address.shown}: {scrub(str(error), address.secrets)}", hint=hint) from None
