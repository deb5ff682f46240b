"""The workloads in the own form of each other product, offline, and how each is asked.

A peer takes specs and gives two functions: one makes what it wants to know of a person, beforehand; the other answers a
flag for that. Where a product has a choice the quicker way is taken, and everything that it sends or logs is off.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workloads import Condition, Person, Spec

Made = tuple[Callable[[Person], Any], Callable[[Spec], Callable[[Any], Any]]]
"""(what a person is to it, for a flag: its answer for that)"""

logging.getLogger().setLevel(logging.CRITICAL)


def _file(document: Any) -> str:
    path = Path(tempfile.mkdtemp()) / "flags.json"
    path.write_text(json.dumps(document))
    return str(path)


def _value(spec: Spec, variant: str) -> Any:
    return variant == "on" if spec.boolean else variant


def _weights(outcome: str | dict[str, int]) -> dict[str, int]:
    return {outcome: 100} if isinstance(outcome, str) else outcome


def launchdarkly(specs: list[Spec]) -> Made:
    import ldclient
    from ldclient.config import Config
    from ldclient.integrations import Files

    def clause(attribute: str, operator: str, value: Any) -> dict[str, Any]:
        name = {"semver_gte": "semVerLessThan", "ends_with": "endsWith", "gte": "greaterThanOrEqual"}.get(
            operator, "in"
        )
        values = value if isinstance(value, list) else [value]
        return {"attribute": attribute, "op": name, "values": values, "negate": operator == "semver_gte"}

    def outcome(spec: Spec, of: str | dict[str, int]) -> dict[str, Any]:
        if isinstance(of, str):
            return {"variation": spec.variants.index(of)}
        weights = [{"variation": spec.variants.index(name), "weight": 1000 * share} for name, share in of.items()]
        return {"rollout": {"variations": weights}}

    flags = {
        spec.key: {
            "key": spec.key,
            "version": 1,
            "on": True,
            "salt": spec.key,
            "variations": [_value(spec, name) for name in spec.variants],
            "offVariation": len(spec.variants) - 1,
            "fallthrough": outcome(spec, spec.default),
            "targets": [{"variation": 0, "values": list(spec.users)}] if spec.users else [],
            "rules": [
                {"id": f"rule-{index}", "clauses": [clause(*each) for each in when], **outcome(spec, of)}
                for index, (when, of) in enumerate(spec.rules)
            ],
        }
        for spec in specs
    }
    source = Files.new_data_source(paths=[_file({"flags": flags})])
    client = ldclient.LDClient(Config("sdk-key", update_processor_class=source, send_events=False), start_wait=30)

    def person(who: Person) -> Any:
        builder = ldclient.Context.builder(who.key)
        for name, value in who.attributes.items():
            builder.set(name, value)
        return builder.build()

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key, variation = spec.key, client.variation
        return lambda who: variation(key, who, None)

    return person, asked


def eppo(specs: list[Spec]) -> Made:
    import eppo_client

    operators = {"in": "ONE_OF", "equals": "ONE_OF", "semver_gte": "GTE", "ends_with": "MATCHES", "gte": "GTE"}

    def condition(attribute: str, operator: str, value: Any) -> dict[str, Any]:
        if operator == "ends_with":
            value = re.escape(value) + "$"
        if operator == "equals":
            value = [value]
        return {"attribute": attribute, "operator": operators[operator], "value": value}

    def allocation(spec: Spec, name: str, conditions: list[Any], of: str | dict[str, int]) -> dict[str, Any]:
        splits, start = [], 0
        for variant, share in _weights(of).items():
            ranges = [{"start": start * 100, "end": (start + share) * 100}]
            shards = [] if share == 100 else [{"salt": spec.key, "ranges": ranges}]
            splits.append({"variationKey": variant, "shards": shards})
            start += share
        rules = [{"conditions": conditions}] if conditions else []
        return {"key": name, "rules": rules, "splits": splits, "doLog": False}

    flags = {}
    for spec in specs:
        allocations = [
            allocation(spec, f"rule-{index}", [condition(*each) for each in when], of)
            for index, (when, of) in enumerate(spec.rules)
        ]
        if spec.users:
            listed = [{"attribute": "id", "operator": "ONE_OF", "value": list(spec.users)}]
            allocations.insert(0, allocation(spec, "users", listed, "on"))
        allocations.append(allocation(spec, "default", [], spec.default))
        flags[spec.key] = {
            "key": spec.key,
            "enabled": True,
            "variationType": "BOOLEAN" if spec.boolean else "STRING",
            "variations": {name: {"key": name, "value": _value(spec, name)} for name in spec.variants},
            "allocations": allocations,
            "totalShards": 10_000,
        }
    document = {
        "createdAt": "2026-11-24T09:00:00Z",
        "format": "SERVER",
        "environment": {"name": "production"},
        "flags": flags,
    }
    client = eppo_client.init(
        eppo_client.ClientConfig(
            api_key="key",
            base_url="http://127.0.0.1:9",
            assignment_logger=eppo_client.AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=json.dumps(document).encode()),
        )
    )

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key = spec.key
        if spec.boolean:
            boolean = client.get_boolean_assignment
            return lambda who: boolean(key, *who, False)
        text = client.get_string_assignment
        return lambda who: text(key, *who, "")

    return (lambda who: (who.key, who.attributes)), asked


def statsig(specs: list[Spec]) -> Made:
    from statsig_python_core import DataStore, Statsig, StatsigOptions, StatsigUser
    from statsig_python_core.data_store import DataStoreResponse

    operators = {"in": "any_case_sensitive", "equals": "any_case_sensitive", "semver_gte": "version_gte"}
    operators |= {"ends_with": "str_ends_with_any", "gte": "gte"}
    fields = {"app_version": "appVersion"}
    conditions: dict[str, Any] = {}

    def known(condition: dict[str, Any]) -> str:
        name = f"{len(conditions)}"
        conditions[name] = {"additionalValues": {}, "idType": "userID", "isDeviceBased": False, **condition}
        return name

    def test(attribute: str, operator: str, value: Any) -> str:
        value = [value] if operator in ("equals", "ends_with") else value
        field = fields.get(attribute, attribute)
        what = {"type": "user_field", "field": field, "operator": operators[operator], "targetValue": value}
        return known(what)

    def rules(spec: Spec, name: str, when: list[str], of: str | dict[str, int]) -> list[dict[str, Any]]:
        made, share = [], 0
        for variant, more in _weights(of).items():
            share += more
            bucket = {"type": "user_bucket", "operator": "lt", "targetValue": 10 * share, "field": None}
            bucket["additionalValues"] = {"salt": spec.key}
            everybody = {"type": "public", "operator": None, "targetValue": None, "field": None}
            last = [known(bucket)] if share < 100 else []
            value = variant == "on" if spec.boolean else {"arm": variant}
            one = {"name": f"{name}-{variant}", "id": f"{name}-{variant}", "salt": f"{name}-{variant}"}
            # A gate's rule says yes or passes nobody: «off» is a rule that 0 % pass.
            one |= {"passPercentage": 0 if value is False else 100, "returnValue": value, "idType": "userID"}
            made.append(one | {"groupName": variant, "conditions": [*when, *last] or [known(everybody)]})
        return made

    def spec_of(spec: Spec) -> dict[str, Any]:
        found = []
        if spec.users:
            listed = {
                "type": "unit_id",
                "operator": "any_case_sensitive",
                "targetValue": list(spec.users),
                "field": None,
            }
            found += rules(spec, "users", [known(listed)], "on")
        for index, (when, of) in enumerate(spec.rules):
            found += rules(spec, f"rule-{index}", [test(*each) for each in when], of)
        found += rules(spec, "default", [], spec.default)
        kind = "feature_gate" if spec.boolean else "dynamic_config"
        return {
            "type": kind,
            "entity": kind,
            "salt": spec.key,
            "enabled": True,
            "defaultValue": False if spec.boolean else {},
            "rules": found,
            "idType": "userID",
            "isDeviceBased": False,
            "version": 1,
        }

    gates = {spec.key: spec_of(spec) for spec in specs if spec.boolean}
    configs = {spec.key: spec_of(spec) for spec in specs if not spec.boolean}
    document = {
        "has_updates": True,
        "time": 1_700_000_000_000,
        "company_id": "c",
        "response_format": "dcs-v2",
        "feature_gates": gates,
        "dynamic_configs": configs,
        "layer_configs": {},
        "layers": {},
        "id_lists": {},
        "condition_map": conditions,
        "sdk_configs": {},
        "sdk_flags": {},
        "diagnostics": {},
        "experiment_to_layer": {},
    }

    class Store(DataStore):
        def get(self, key: str) -> Any:
            return DataStoreResponse(json.dumps(document), 1_700_000_000_000)

    options = StatsigOptions(
        disable_network=True,
        disable_all_logging=True,
        data_store=Store(),
        enable_id_lists=False,
        wait_for_user_agent_init=False,
        wait_for_country_lookup_init=False,
        disable_country_lookup=True,
        output_log_level="none",
    )
    client = Statsig("secret-key", options)
    client.initialize().wait()
    from statsig_python_core import DynamicConfigEvaluationOptions, FeatureGateEvaluationOptions

    quiet = FeatureGateEvaluationOptions(disable_exposure_logging=True)
    quiet_config = DynamicConfigEvaluationOptions(disable_exposure_logging=True)

    def person(who: Person) -> Any:
        attributes = dict(who.attributes)
        email, country, version = (attributes.pop(name) for name in ("email", "country", "app_version"))
        return StatsigUser(user_id=who.key, email=email, country=country, app_version=version, custom=attributes)

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key = spec.key
        if spec.boolean:
            gate = client.check_gate
            return lambda who: gate(who, key, quiet)
        config = client.get_dynamic_config
        return lambda who: config(who, key, quiet_config).value.get("arm")

    return person, asked


def growthbook(specs: list[Spec]) -> Made:
    from growthbook.common_types import EvaluationContext, Feature, GlobalContext, Options, StackContext, UserContext
    from growthbook.core import eval_feature

    def test(operator: str, value: Any) -> Any:
        match operator:
            case "in":
                return {"$in": value}
            case "semver_gte":
                return {"$vgte": value}
            case "ends_with":
                return {"$regex": re.escape(value) + "$"}
            case "gte":
                return {"$gte": value}
            case _:
                return value

    def rule(spec: Spec, when: tuple[Condition, ...], of: str | dict[str, int]) -> dict[str, Any]:
        found: dict[str, Any] = {"condition": {attribute: test(op, value) for attribute, op, value in when}}
        if isinstance(of, str):
            return found | {"force": _value(spec, of)}
        variations = {
            "variations": [_value(spec, name) for name in of],
            "weights": [share / 100 for share in of.values()],
        }
        return found | variations | {"hashAttribute": "id", "key": spec.key, "coverage": 1}

    features = {}
    for spec in specs:
        rules = [rule(spec, when, of) for when, of in spec.rules]
        if spec.users:
            rules.insert(0, {"condition": {"id": {"$in": list(spec.users)}}, "force": True})
        if isinstance(spec.default, dict):
            rules.append(rule(spec, (), spec.default))
        default = _value(spec, spec.default if isinstance(spec.default, str) else "off")
        features[spec.key] = Feature(defaultValue=default, rules=rules)
    everywhere = GlobalContext(options=Options(), features=features)

    def person(who: Person) -> Any:
        return UserContext(attributes={"id": who.key, **who.attributes})

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key = spec.key
        return lambda who: eval_feature(key, EvaluationContext(who, everywhere, StackContext())).value

    return person, asked


def unleash(specs: list[Spec]) -> Made:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    def constraint(attribute: str, operator: str, value: Any) -> dict[str, Any]:
        found = {"contextName": attribute, "inverted": operator == "semver_gte"}
        match operator:
            case "in" | "equals":
                return found | {"operator": "IN", "values": value if isinstance(value, list) else [value]}
            case "ends_with":
                return found | {"operator": "STR_ENDS_WITH", "values": [value]}
            case "gte":
                return found | {"operator": "NUM_GTE", "value": str(value)}
            case _:
                return found | {"operator": "SEMVER_LT", "value": value}

    def strategy(spec: Spec, when: tuple[Condition, ...], of: str | dict[str, int]) -> dict[str, Any]:
        variants = [
            {"name": name, "weight": 10 * share, "stickiness": "userId", "payload": {"type": "string", "value": name}}
            for name, share in _weights(of).items()
        ]
        return {
            "name": "flexibleRollout",
            "parameters": {"rollout": "100", "stickiness": "userId", "groupId": spec.key},
            "constraints": [constraint(*each) for each in when],
            "variants": variants,
        }

    features = []
    for spec in specs:
        strategies: list[dict[str, Any]]
        if spec.users:
            strategies = [{"name": "userWithId", "parameters": {"userIds": ",".join(spec.users)}}]
        elif spec.rules:
            # A strategy can only say yes: which rule held is told by its variant.
            strategies = [strategy(spec, when, of) for when, of in spec.rules] + [strategy(spec, (), spec.default)]
        elif isinstance(spec.default, str):
            strategies = [{"name": "default", "parameters": {}}]
        else:
            parameters = {"rollout": str(spec.default["on"]), "stickiness": "userId", "groupId": spec.key}
            strategies = [{"name": "flexibleRollout", "parameters": parameters}]
        features.append(
            {"name": spec.key, "type": "release", "enabled": True, "strategies": strategies, "variants": []}
        )
    cache = FileCache("benchmark", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 2, "features": features})
    client = UnleashClient(
        "http://127.0.0.1:9", "benchmark", cache=cache, disable_metrics=True, disable_registration=True
    )
    client.initialize_client(fetch_toggles=False)

    def person(who: Person) -> Any:
        return {"userId": who.key, "properties": who.attributes}

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key = spec.key
        if not spec.rules:
            enabled = client.is_enabled
            return lambda who: enabled(key, who)
        variant = client.get_variant
        if spec.boolean:
            return lambda who: variant(key, who)["name"] == "on"
        return lambda who: variant(key, who)["name"]

    return person, asked


def flagd(specs: list[Spec]) -> Made:
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext

    def test(attribute: str, operator: str, value: Any) -> dict[str, Any]:
        of = {"var": attribute}
        match operator:
            case "in":
                return {"in": [of, value]}
            case "equals":
                return {"===": [of, value]}
            case "semver_gte":
                return {"sem_ver": [of, ">=", value]}
            case "ends_with":
                return {"ends_with": [of, value]}
            case _:
                return {">=": [of, value]}

    def outcome(of: str | dict[str, int]) -> Any:
        return of if isinstance(of, str) else {"fractional": [[name, share] for name, share in of.items()]}

    flags = {}
    for spec in specs:
        chain: list[Any] = []
        if spec.users:
            chain += [{"in": [{"var": "targetingKey"}, list(spec.users)]}, "on"]
        for when, of in spec.rules:
            chain += [{"and": [test(*each) for each in when]}, outcome(of)]
        targeting = {"if": [*chain, outcome(spec.default)]} if chain else outcome(spec.default)
        flags[spec.key] = {
            "state": "ENABLED",
            "variants": {name: _value(spec, name) for name in spec.variants},
            "defaultVariant": spec.default if isinstance(spec.default, str) else "off",
            **({} if isinstance(targeting, str) else {"targeting": targeting}),
        }
    core = FlagdCore()
    core.set_flags(json.dumps({"flags": flags}))

    def person(who: Person) -> Any:
        return EvaluationContext(who.key, who.attributes)

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key = spec.key
        if spec.boolean:
            boolean = core.resolve_boolean_value
            return lambda who: boolean(key, False, who).value
        text = core.resolve_string_value
        return lambda who: text(key, "", who).value

    return person, asked


def featurevisor(specs: list[Spec]) -> Made:
    from featurevisor import create_featurevisor

    operators = {"semver_gte": "semverGreaterThanOrEquals", "ends_with": "endsWith", "gte": "greaterThanOrEquals"}
    segments: dict[str, Any] = {}

    def segment(when: tuple[Condition, ...]) -> str:
        name = f"segment-{len(segments)}"
        conditions = [{"attribute": a, "operator": operators.get(op, op), "value": value} for a, op, value in when]
        segments[name] = {"key": name, "conditions": conditions}
        return name

    def traffic(name: str, to: str, of: str | dict[str, int]) -> dict[str, Any]:
        start, allocation = 0, []
        for variant, share in _weights(of).items():
            allocation.append({"variation": variant, "range": [1000 * start, 1000 * (start + share)]})
            start += share
        return {"key": name, "segments": to, "percentage": 100_000, "allocation": allocation}

    features = {}
    for spec in specs:
        rules = [traffic(f"rule-{index}", segment(when), of) for index, (when, of) in enumerate(spec.rules)]
        if spec.users:
            rules.insert(0, traffic("users", segment((("id", "in", list(spec.users)),)), "on"))
        features[spec.key] = {
            "key": spec.key,
            "bucketBy": "id",
            "variations": [{"value": name} for name in spec.variants],
            "traffic": [*rules, traffic("default", "*", spec.default)],
        }
    datafile = {"schemaVersion": "2", "revision": "1", "segments": segments, "features": features}
    instance = create_featurevisor({"datafile": datafile, "logLevel": "fatal"})

    def person(who: Person) -> Any:
        return {"id": who.key, **who.attributes}

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key, variation = spec.key, instance.get_variation
        if spec.boolean:
            return lambda who: variation(key, who) == "on"
        return lambda who: variation(key, who)

    return person, asked


def flagsmith(specs: list[Spec]) -> Made:
    from flagsmith import Flagsmith
    from flagsmith.offline_handlers import LocalFileHandler

    operators = {"in": "IN", "equals": "EQUAL", "semver_gte": "GREATER_THAN_INCLUSIVE", "ends_with": "REGEX"}
    operators |= {"gte": "GREATER_THAN_INCLUSIVE"}
    segments: list[dict[str, Any]] = []

    def condition(attribute: str, operator: str, value: Any) -> dict[str, Any]:
        if operator == "semver_gte":
            value = f"{value}:semver"
        elif operator == "ends_with":
            value = ".*" + re.escape(value) + "$"
        elif operator == "in":
            value = ",".join(value)
        return {"operator": operators[operator], "property_": attribute, "value": str(value)}

    def state(number: int, spec: Spec, of: str | dict[str, int], priority: int | None = None) -> dict[str, Any]:
        shares = {} if isinstance(of, str) else of
        options = [
            {
                "id": index,
                "mv_fs_value_uuid": f"{number}-{index}",
                "percentage_allocation": share,
                "multivariate_feature_option": {"id": index, "value": variant},
            }
            for index, (variant, share) in enumerate(shares.items(), 1)
        ]
        return {
            "enabled": True,
            "feature": {"id": number, "name": spec.key, "type": "MULTIVARIATE" if shares else "STANDARD"},
            "feature_state_value": of if isinstance(of, str) else "",
            "featurestate_uuid": f"{spec.key}-{priority}",
            "multivariate_feature_state_values": options,
            **({} if priority is None else {"feature_segment": {"priority": priority}}),
        }

    def segment(number: int, spec: Spec, conditions: list[Any], of: str | dict[str, int], priority: int) -> None:
        rule = {"type": "ALL", "rules": [], "conditions": conditions}
        segments.append(
            {
                "id": len(segments) + 1,
                "name": f"{spec.key}-{priority}",
                "rules": [{"type": "ALL", "conditions": [], "rules": [rule]}],
                "feature_states": [state(number, spec, of, priority)],
            }
        )

    states = []
    for number, spec in enumerate(specs, 1):
        states.append(state(number, spec, spec.default))
        if spec.users:
            listed = [{"operator": "IN", "property_": "$.identity.identifier", "value": ",".join(spec.users)}]
            segment(number, spec, listed, "on", 0)
        for priority, (when, of) in enumerate(spec.rules, 1):
            segment(number, spec, [condition(*each) for each in when], of, priority)
    document = {
        "api_key": "key",
        "name": "production",
        "feature_states": states,
        "identity_overrides": [],
        "project": {"segments": segments},
    }
    client = Flagsmith(offline_mode=True, offline_handler=LocalFileHandler(_file(document)))

    def person(who: Person) -> Any:
        return who.key, who.attributes

    def asked(spec: Spec) -> Callable[[Any], Any]:
        key, identity = spec.key, client.get_identity_flags
        if spec.boolean:
            return lambda who: identity(*who).get_feature_value(key) == "on"
        return lambda who: identity(*who).get_feature_value(key)

    return person, asked


PEERS: dict[str, tuple[str, Callable[[list[Spec]], Made]]] = {
    "Eppo": ("eppo-server-sdk", eppo),
    "Statsig core": ("statsig-python-core", statsig),
    "GrowthBook core": ("growthbook", growthbook),
    "LaunchDarkly": ("launchdarkly-server-sdk", launchdarkly),
    "Unleash": ("UnleashClient", unleash),
    "flagd core": ("openfeature-flagd-core", flagd),
    "Featurevisor": ("featurevisor", featurevisor),
    "Flagsmith": ("flagsmith", flagsmith),
}
"""By name: the distribution that is measured, and how it takes the workloads."""
