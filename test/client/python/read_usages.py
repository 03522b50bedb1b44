"""Reads the streams of a file with the Python client, as dicts and as objects, and prints what it counts of each.

usage-agreement.test.ts compares this with what the TypeScript client counts.
"""

import json
import re
import sys
from enum import Enum

from fuelgauge import _fold_of, _has_no_usage, _Options, _plain


class Model:
    """Like an object of pydantic, which keeps fields that its version of the SDK does not know apart from the others."""

    def __init__(self, fields):
        names = sorted(fields)
        self.__dict__ = {name: fields[name] for name in names[::2]}
        object.__setattr__(self, "__pydantic_extra__", {name: fields[name] for name in names[1::2]})

    def __getattr__(self, name):
        extra = object.__getattribute__(self, "__pydantic_extra__")
        if name not in extra:
            raise AttributeError(name)
        return extra[name]

    def model_dump(self):
        raise AssertionError("this is slow, and may warn")


def as_objects(value, snake):
    """The same event as an SDK's object. Google's SDK has other names for its attributes than its interface."""
    if isinstance(value, list):
        return [as_objects(one, snake) for one in value]
    if value in ("AUDIO", "IMAGE", "TEXT"):
        return Enum("Modality", {value: value}, type=str)[value]
    if not isinstance(value, dict):
        return value
    name_of = (lambda name: re.sub("[A-Z]", lambda letter: "_" + letter.group().lower(), name)) if snake else str
    return Model({name_of(name): as_objects(one, snake) for name, one in value.items()})


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
