"""Simulations of `simulate`: a table, JSON (`flagctl/simulate/1`), and a picture as a Vega-Lite description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.cli.simulation import Simulated

_BLUE, _DARK, _ORANGE, _GREY = "#8fb8de", "#1f3a5f", "#d9622b", "#5c6670"
_ROW = 46


def show(out: Output, done: Simulated) -> None:
    """The split as a table, and below it what decided."""
    found = done.found
    rows = [
        [
            share.variant,
            f"{share.users:,}",
            _percent(share.share),
            _between(share.low, share.high),
            _promised(share.expected),
        ]
        for share in found.shares
    ]
    out.table(["VARIANT", "USERS", "SHARE", "95 % (WILSON)", "EXPECTED"], rows)
    out.data("")
    for count, variant, reason, rule in found.decided:
        by = f"rule {rule}" if rule else "default" if reason in ("DEFAULT", "STATIC", "SPLIT") else "the flag itself"
        out.data(f"{count:>{len(f'{found.users:,}')},}  {variant}, {reason}, by {by}")
    if found.varied and any(share.expected is None for share in found.shares):
        out.say(f"nothing can be expected: rules ask for {', '.join(found.varied)}, which is made up here")


def document(done: Simulated) -> dict[str, Any]:
    """The JSON document of a simulation."""
    head = {"format": "flagctl/simulate/1", "environment": done.environment, "flag": done.flag}
    fields: dict[str, Any] = msgspec.to_builtins(done.found)
    names = ("users", "variant", "reason", "rule")
    decided = [dict(zip(names, each, strict=True)) for each in fields.pop("decided")]
    interval = {"method": "wilson", "confidence": 0.95}
    return head | {"at": times.text(done.now), "seed": done.seed, "interval": interval} | fields | {"decided": decided}


def picture(done: Simulated) -> dict[str, Any]:
    """Bars with error bars, and a tick where each share should be."""
    shares = done.found.shares
    rows = [
        msgspec.structs.asdict(share) | {"label": f"{_percent(share.share)}  ({share.users:,})"} for share in shares
    ]
    order = [share.variant for share in shares]
    top = min(1.0, 1.3 * max(max(share.high, share.expected or 0) for share in shares) + 0.02)
    variant = {"field": "variant", "type": "nominal", "sort": order, "title": None, "axis": {"labelLimit": 220}}
    key = {"type": "nominal", "title": None, "scale": {"domain": _KEY, "range": [_BLUE, _DARK, _ORANGE]}}
    share = {"type": "quantitative", "scale": {"domain": [0, top]}, "axis": {"format": "~%", "tickCount": 6}}

    def layer(mark: dict[str, Any], of: str, name: str, **more: Any) -> dict[str, Any]:
        encoding = {"y": variant, "x": share | {"field": of, "title": "share of users"}, "color": key | {"datum": name}}
        return {"mark": mark | {"opacity": 1}, "encoding": encoding | more}

    high = {"field": "high"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {
            "text": f"{done.flag} in {done.environment}",
            "subtitle": f"{done.found.users:,} synthetic users, seed {done.seed}, as at {times.text(done.now)}",
        },
        "data": {"values": rows},
        "width": 560,
        "height": {"step": _ROW},
        "padding": 16,
        "background": "white",
        "layer": [
            layer({"type": "bar", "height": {"band": 0.62}, "cornerRadiusEnd": 2}, "share", _KEY[0]),
            layer({"type": "tick", "thickness": 2.5, "size": 36}, "expected", _KEY[2]),
            layer({"type": "rule", "strokeWidth": 1.6}, "low", _KEY[1], x2=high),
            layer({"type": "tick", "thickness": 1.6, "size": 12}, "low", _KEY[1]),
            layer({"type": "tick", "thickness": 1.6, "size": 12}, "high", _KEY[1]),
            {
                "mark": {"type": "text", "align": "left", "dx": 12, "fontSize": 12, "color": _DARK},
                "transform": [{"calculate": "max(datum.high, datum.expected)", "as": "end"}],
                "encoding": {"y": variant, "x": share | {"field": "end"}, "text": {"field": "label"}},
            },
        ],
        "config": {
            "font": "Helvetica, Arial, sans-serif",
            "view": {"stroke": None},
            "title": {
                "anchor": "start",
                "fontSize": 16,
                "color": _DARK,
                "subtitleColor": _GREY,
                "subtitlePadding": 6,
                "offset": 14,
            },
            "axis": {
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "titleColor": _GREY,
                "labelColor": _DARK,
                "grid": True,
            },
            "axisX": {"gridColor": "#e4e8ec", "domain": False, "ticks": False, "titlePadding": 10},
            "axisY": {"grid": False, "domainColor": "#9aa4ae", "ticks": False, "labelPadding": 8},
            "legend": {
                "orient": "bottom",
                "labelFontSize": 12,
                "symbolType": "square",
                "symbolOpacity": 1,
                "labelColor": _DARK,
                "offset": 14,
            },
        },
    }


_KEY = ["share that was found", "its 95 % interval (Wilson)", "share that is configured"]


def _percent(share: float) -> str:
    return f"{share:.2%}"


def _between(low: float, high: float) -> str:
    return f"{low:.2%}–{high:.2%}"


def _promised(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"
