"""Every token carries the claim that previews ask for.

A preview in a protected environment asks for a token that carries the claim of the settings. A claim that is in every
token, such as `exp`, lets everybody preview who can sign in. Name one that your identity provider gives to few.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.model.repository import Repository
from flagctl.problems import Problem

ID = "preview-claim"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments: {production: {protected: true}}
preview: {claim: exp}    # <- every token has an end
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments: {production: {protected: true}}
preview: {claim: groups, value: release-managers}
"""
}
_EVERYWHERE = {"iss", "aud", "exp", "nbf", "iat", "jti", "typ", "azp", "scope"}
"""Claims of RFC 7519 and 9068 that nearly every token has."""


def check_repository(repository: Repository) -> Iterator[Problem]:
    """The claim of the settings."""
    preview = repository.settings.preview
    if preview is not None and preview.value is None and preview.claim in {*_EVERYWHERE, "sub"}:
        yield Problem(
            rule=ID,
            message=f"every token carries {preview.claim}",
            file="flags/flagctl.yaml",
            pointer="/preview/claim",
            hint="name a claim that few have, or a value beside it: {claim: groups, value: release-managers}",
        )
