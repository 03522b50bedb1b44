"""Reads the streams of a file with the Python client, as dicts and as objects, and prints what it counts of each.

usage-agreement.test.ts compares this with what the TypeScript client counts.
"""

import json
import re
import sys
from types import SimpleNamespace

from fuelgauge import _fold_of, _has_no_usage, _Options, _plain


def as_objects(value, snake):
    """The same event as an SDK's object. Google's SDK has other names for its attributes than its interface."""
    if isinstance(value, list):
        return [as_objects(one, snake) for one in value]
    if not isinstance(value, dict):
        return value
    name_of = (lambda name: re.sub("[A-Z]", lambda letter: "_" + letter.group().lower(), name)) if snake else str
    return SimpleNamespace(**{name_of(name): as_objects(one, snake) for name, one in value.items()})


def shown(counted):
    return [
        {
            "model": one.model,
            "usage": {kind: quantity for kind, quantity in one.usage.items() if quantity},
            "tier": one.tier,
            "promptTokens": one.prompt_tokens,
        }
        for one in counted
    ]


def read(case, events):
    options = _Options(case["options"].get("model"), case["options"].get("tier"), case["options"].get("estimate", False))
    fold = None
    for event in events:
        kind = event.get("type") if isinstance(event, dict) else getattr(event, "type", None)
        if isinstance(kind, str) and not options.estimate and _has_no_usage(kind):
            continue
        if fold is None:
            make = _fold_of(event)
            fold = None if make is None else make(options)
        if fold is not None:
            fold.add(_plain(event, fold.camel))
    if fold is None:
        return None
    return {
        "counted": shown(fold.counted()),
        "ended": fold.ended(),
        "stated": fold.stated(),
        "model": fold.model(),
        "estimated": shown(fold.estimated(7)) if options.estimate else None,
    }


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
results = []
for case in cases:
    forms = [case["events"]]
    if case["api"] != "bedrock":  # boto3 returns dicts.
        forms.append([as_objects(event, case["api"] == "google") for event in case["events"]])
    results.append([read(case, events) for events in forms])
json.dump(results, sys.stdout)
