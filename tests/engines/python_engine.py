"""Answers by flagd's Python engine: a JSON message a line on stdin, a JSON list of answers a line on stdout.

`{"document": ...}` loads a flag definition; `{"asks": [[key, type, context, now], ...]}` asks. It runs in an
environment of its own, beside the engine's version that is to be asked.
"""

import json
import sys
import types

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting import targeting
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

clock = types.SimpleNamespace(now=0.0, time=lambda: clock.now)
sys.modules[targeting.__module__].time = clock
TYPES = {"boolean": "boolean", "string": "string", "integer": "integer", "number": "float", "object": "object"}


def answer(core, key, kind, context, now):
    clock.now = now
    attributes = {name: value for name, value in context.items() if name != "targetingKey"}
    try:
        resolve = getattr(core, f"resolve_{TYPES[kind]}_value")
        found = resolve(key, None, EvaluationContext(context.get("targetingKey"), attributes))
    except OpenFeatureError as error:
        return [None, None, error.error_code.value]
    except Exception as error:
        return [None, None, f"{type(error).__name__}: {error}"]
    return [found.value, found.variant, found.error_code and found.error_code.value]


def main():
    core = FlagdCore()
    for line in sys.stdin:
        message = json.loads(line)
        answers = []
        if "document" in message:
            core.set_flags(message["document"])
        for ask in message.get("asks", ()):
            answers.append(answer(core, *ask))
        print(json.dumps(answers), flush=True)


main()
