"""The limits: what a good programmer would write by hand for W1 to W4 and nothing else, with the answers of flagctl.

Each workload as a function that returns the bare value, and one that returns a details object; those that hash twice,
with the bytes of the `portable` bucketing and with those of `flagd-2`, which are shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmh3 import hash as hash32
from workloads import WORKLOADS

Context = dict[str, Any]
HALF = 2**31
QUARTER = 3 * 2**30
SOME = frozenset({"DE", "FR", "NL"})
FEW = frozenset({"DE", "GB"})
LISTED = frozenset(WORKLOADS["W4"].users)
versions: dict[str, tuple[int, ...]] = {}


class Details:
    """An answer, made by hand."""

    __slots__ = ("error", "reason", "rule", "value", "variant")

    def __init__(
        self, value: Any, variant: str, reason: str, rule: str | None = None, error: str | None = None
    ) -> None:
        self.value = value
        self.variant = variant
        self.reason = reason
        self.rule = rule
        self.error = error


def version(text: str) -> tuple[int, ...]:
    """The numbers of a version, remembered."""
    found = versions[text] = tuple(map(int, text.split(".")))
    return found


def w1(context: Context) -> bool:
    return True


def w1_details(context: Context) -> Details:
    return Details(True, "on", "STATIC")


def w2_portable(context: Context) -> bool:
    return hash32(f"xxnew-checkout:{context['targetingKey']}".ljust(122, "."), 0, False) < HALF


def w2_portable_details(context: Context) -> Details:
    if hash32(f"xxnew-checkout:{context['targetingKey']}".ljust(122, "."), 0, False) < HALF:
        return Details(True, "on", "SPLIT")
    return Details(False, "off", "SPLIT")


def w2_short(context: Context) -> bool:
    return hash32("new-checkout" + context["targetingKey"], 0, False) < HALF


def w2_short_details(context: Context) -> Details:
    if hash32("new-checkout" + context["targetingKey"], 0, False) < HALF:
        return Details(True, "on", "SPLIT")
    return Details(False, "off", "SPLIT")


def w3_portable(context: Context) -> str:
    country = context["country"]
    plan = context["plan"]
    if country in SOME and plan == "enterprise":
        return "express"
    text = context["app_version"]
    running = versions.get(text) or version(text)
    email = context["email"]
    if running >= (2, 0, 0) and email.endswith("@staff.example.com"):
        return "express"
    age = context["age"]
    if age >= 65 and country in FEW:
        return "one-page"
    if plan == "free" and running >= (1, 0, 0):
        return "one-page"
    if email.endswith("@example.com") and age >= 18:
        drawn = hash32(f"xxcheckout-page:{context['targetingKey']}".ljust(122, "."), 0, False)
        return "control" if drawn < HALF else "one-page" if drawn < QUARTER else "express"
    return "control"


def w3_portable_details(context: Context) -> Details:
    country = context["country"]
    plan = context["plan"]
    if country in SOME and plan == "enterprise":
        return Details("express", "express", "TARGETING_MATCH", "rule-0")
    text = context["app_version"]
    running = versions.get(text) or version(text)
    email = context["email"]
    if running >= (2, 0, 0) and email.endswith("@staff.example.com"):
        return Details("express", "express", "TARGETING_MATCH", "rule-1")
    age = context["age"]
    if age >= 65 and country in FEW:
        return Details("one-page", "one-page", "TARGETING_MATCH", "rule-2")
    if plan == "free" and running >= (1, 0, 0):
        return Details("one-page", "one-page", "TARGETING_MATCH", "rule-3")
    if email.endswith("@example.com") and age >= 18:
        drawn = hash32(f"xxcheckout-page:{context['targetingKey']}".ljust(122, "."), 0, False)
        arm = "control" if drawn < HALF else "one-page" if drawn < QUARTER else "express"
        return Details(arm, arm, "SPLIT", "rule-4")
    return Details("control", "control", "DEFAULT")


def w3_short(context: Context) -> str:
    country = context["country"]
    plan = context["plan"]
    if country in SOME and plan == "enterprise":
        return "express"
    text = context["app_version"]
    running = versions.get(text) or version(text)
    email = context["email"]
    if running >= (2, 0, 0) and email.endswith("@staff.example.com"):
        return "express"
    age = context["age"]
    if age >= 65 and country in FEW:
        return "one-page"
    if plan == "free" and running >= (1, 0, 0):
        return "one-page"
    if email.endswith("@example.com") and age >= 18:
        drawn = hash32("checkout-page" + context["targetingKey"], 0, False)
        return "control" if drawn < HALF else "one-page" if drawn < QUARTER else "express"
    return "control"


def w3_short_details(context: Context) -> Details:
    country = context["country"]
    plan = context["plan"]
    if country in SOME and plan == "enterprise":
        return Details("express", "express", "TARGETING_MATCH", "rule-0")
    text = context["app_version"]
    running = versions.get(text) or version(text)
    email = context["email"]
    if running >= (2, 0, 0) and email.endswith("@staff.example.com"):
        return Details("express", "express", "TARGETING_MATCH", "rule-1")
    age = context["age"]
    if age >= 65 and country in FEW:
        return Details("one-page", "one-page", "TARGETING_MATCH", "rule-2")
    if plan == "free" and running >= (1, 0, 0):
        return Details("one-page", "one-page", "TARGETING_MATCH", "rule-3")
    if email.endswith("@example.com") and age >= 18:
        drawn = hash32("checkout-page" + context["targetingKey"], 0, False)
        arm = "control" if drawn < HALF else "one-page" if drawn < QUARTER else "express"
        return Details(arm, arm, "SPLIT", "rule-4")
    return Details("control", "control", "DEFAULT")


def w4(context: Context) -> bool:
    return context["targetingKey"] in LISTED


def w4_details(context: Context) -> Details:
    if context["targetingKey"] in LISTED:
        return Details(True, "on", "TARGETING_MATCH")
    return Details(False, "off", "DEFAULT")


BARE: dict[str, dict[str, Callable[[Context], Any]]] = {
    "portable": {"W1": w1, "W2": w2_portable, "W3": w3_portable, "W4": w4},
    "flagd-2": {"W1": w1, "W2": w2_short, "W3": w3_short, "W4": w4},
}
DETAILS: dict[str, dict[str, Callable[[Context], Details]]] = {
    "portable": {"W1": w1_details, "W2": w2_portable_details, "W3": w3_portable_details, "W4": w4_details},
    "flagd-2": {"W1": w1_details, "W2": w2_short_details, "W3": w3_short_details, "W4": w4_details},
}
