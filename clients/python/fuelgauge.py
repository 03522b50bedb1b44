"""Reports what an AI agent uses to Fuelgauge, from Python 3.9 or newer, with the standard library alone.

Copy this file into your project. A background thread sends the reports, so counting never waits for the network, and no
failure of the ledger or of the network raises an exception in the agent. Totals are running totals: reports that are
lost, repeated or late change nothing. Version 0.1.0, Apache-2.0.

    with Fuelgauge(url, enterprise, key) as fuelgauge:
        with fuelgauge.start_run(surface="cli", workspace="web-shop", user="ada") as run:
            for event in run.meter(client.messages.create(model="claude-sonnet-4-6", stream=True, ...)):
                if run.should_stop:
                    break

Contents: the client; runs and calls; sending; price tiers; the usage of OpenAI, Anthropic, Google and Bedrock; HTTP.
"""

from __future__ import annotations

import atexit
import binascii
import email.utils
import enum
import functools
import http.client
import io
import json
import logging
import math
import operator
import os
import queue
import random
import re
import socket
import threading
import time
import urllib.request
import uuid
import weakref
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.message import Message
from typing import Any, Callable, Deque, Dict, Generic, List, Optional, Tuple, TypeVar, Union
from urllib.parse import quote, unquote, urlsplit

__all__ = ["Call", "Finished", "Fuelgauge", "KINDS", "Metered", "Run", "RunRefused"]
__version__ = "0.1.0"

MIN_INTERVAL_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 30.0
MAX_REPORT_AFTER_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 600.0
MAX_IDLE_SECONDS = 20.0
"""How long a connection stays open without requests. Networks forget idle connections without saying so."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""More than any batch's results. Python 3.9 clears so much memory for each response, and no other thread runs meanwhile."""
MAX_BATCH = 500
MAX_QUANTITY = 10**12
MAX_NAMED = 100
"""How many of a run's calls are named whose usage is missing, and how many whose usage cannot be right."""
EXIT_SECONDS = 3.0
"""How long the end of the program waits for reports that are left, if the client was not closed."""

KINDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "cache_audio_read_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "cache_image_read_tokens",
    "output_image_tokens",
    "web_searches",
    "storage_searches",
)
"""The kinds of usage. No token counts twice: `input_tokens` excludes cached tokens, and audio and images stated apart."""

STANDARD = "standard"

Json = Dict[str, Any]

Usage = Mapping[str, Optional[int]]
"""Quantities by kind. Kinds that are missing or None count as 0."""

Totals = Dict[str, int]

Trouble = Callable[[Json], None]

Key = Union[str, Callable[[], str]]

Event = TypeVar("Event")

_log = logging.getLogger("fuelgauge")


class RunRefused(Exception):
    """The run may not start. `code` and `detail` say why; `body` is the ledger's whole answer.

    `budget` is the budget that has too little left, if `code` is "budget_exhausted".
    """

    def __init__(self, code: str, detail: str, body: Optional[Json] = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.body = body or {}
        self.budget: Optional[Json] = self.body.get("budget")


@dataclass
class Finished:
    """What came of a run. `delivered` is true only if the ledger accepted every final total in time.

    `refused` has the meters whose totals the ledger refused, and usage that could not be right (`invalid_usage`).
    `not_counted` has the model calls whose usage the provider did not state, or not all of it.
    """

    delivered: bool
    charged_micros: Optional[int]
    unit: Optional[str]
    refused: List[Json] = field(default_factory=list)
    unpriced: List[str] = field(default_factory=list)
    not_counted: List[Json] = field(default_factory=list)


class Fuelgauge:
    """A client for one enterprise. It may be used from any thread. Close it, or use it in a `with` statement.

    After a fork, the child may start runs of its own. The parent sends what it had counted before.
    """

    def __init__(
        self,
        url: str,
        enterprise: str,
        key: Key,
        *,
        start_without_ledger: bool = False,
        start_limit: float = 5.0,
        timeout: float = 10.0,
        max_runs: int = 10_000,
        max_unreported: Optional[int] = None,
        on_trouble: Optional[Trouble] = None,
        ssl_context: Any = None,
    ) -> None:
        """Makes a client. Raises ValueError if `url`, `enterprise` or `key` cannot be right.

        `key` has the scope `debit`; a function is called before each request and returns the current key.
        `start_without_ledger` admits runs while the ledger cannot be reached. `start_limit` is how many seconds `start_run`
        tries, and `timeout` is the limit of any other request. No run starts while `max_runs` runs have unreported usage.
        While more than `max_unreported` tokens are unreported in an outage, runs are asked to stop, with the reason
        "ledger_unreachable", and none starts without the ledger. The default is no such limit.
        `on_trouble` receives a dict for logs, in any thread; without it, the logger `fuelgauge` receives a warning.
        `ssl_context` replaces the default one, for example to trust another certificate authority.
        """
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ValueError(f"url must begin with https:// or http://, not {url!r}")
        if not enterprise:
            raise ValueError("enterprise must not be empty")
        if not key:
            raise ValueError("key must not be empty")
        # The certificates are loaded here, because that takes longer than a model's token may wait.
        self._address = _Address(url, ssl_context)
        self._base = f"/v1/enterprises/{quote(enterprise, safe='')}"
        self._key = key
        self._timeout = timeout
        self._start_limit = start_limit
        self._open = start_without_ledger
        self._max_runs = max_runs
        self._max_unreported = max_unreported
        self._on_trouble = on_trouble
        self._closed = False
        self._said_closed = False
        self._reset()
        _clients.add(self)

    def _reset(self) -> None:
        """Begins with an empty queue: at first, and in the child of a fork, which has neither the thread nor its locks."""
        self._changed: Dict[int, _Meter] = {}
        self._wake = threading.Condition()
        self._thread: Optional[threading.Thread] = None
        self._connection = _Connection(self._address)
        self._tiers = _PriceTiers(self)
        self._failing = False
        self._untold: Deque[Json] = deque()
        """Troubles that were found while the lock was held. `on_trouble` may wait for a lock of the agent."""
        self._sleeps_until = float("inf")
        """When the thread looks for due meters again. A change wakes it only if it is due earlier."""

    def start_run(
        self,
        run: Optional[str] = None,
        *,
        surface: str,
        workspace: str,
        user: str,
        group: Optional[str] = None,
        model: Optional[str] = None,
        hold_micros: Optional[int] = None,
        hold_ttl_seconds: Optional[int] = None,
        totals: Optional[Mapping[str, Usage]] = None,
        keep: Optional[Callable[[Dict[str, Totals]], object]] = None,
        on_action: Optional[Callable[[str, Optional[str]], None]] = None,
    ) -> "Run":
        """Asks whether a run may start. Waits at most `start_limit` seconds. Raises RunRefused if it may not.

        `on_action` is called with the action and its reason when these change, in the thread that sends the reports. To
        continue a run that another process started, pass its saved `run.totals` as `totals`. `keep` saves the totals
        outside the process; the client calls it in its own thread before it sends them.
        """
        if self._closed:
            raise _client_closed()
        with self._wake:
            unreported = len({id(meter.run) for meter in self._changed.values()})
        if unreported >= self._max_runs:
            raise RunRefused("too_many_runs", f"{unreported} runs have unreported usage")
        asked: Json = {"run": str(run or uuid.uuid4()), "surface": surface, "workspace": workspace, "user": user}
        hold = {"hold_micros": hold_micros, "hold_ttl_seconds": hold_ttl_seconds}
        optional = {"group": group, "model": model, **hold}
        asked.update({name: value for name, value in optional.items() if value is not None})
        started = Run(self, asked, on_action, keep)
        deadline = time.monotonic() + self._start_limit
        failures = 0
        while True:
            answer = self._call_within(max(0.05, deadline - time.monotonic()), "POST", "/runs", asked)
            if answer.status in (200, 201) and answer.body.get("admitted") is True:
                if self._closed:
                    started._release_hold(max(0.0, deadline - time.monotonic()))
                    raise _client_closed()
                started._registered(answer)
                if answer.status == 200 and failures == 0 and totals is None:
                    detail = "the ledger already knows this run: pass its saved totals, or {} if it had used nothing"
                    self._trouble({"kind": "totals_missing", "run": started.id, "detail": detail})
                break
            if not answer.transient:
                code, detail = _problem(answer)
                raise RunRefused(code, detail, answer.body)
            failures += 1
            pause = _pause(failures, answer.retry_after)
            if time.monotonic() + pause >= deadline:
                if not self._open or self._over_limit():
                    raise RunRefused("ledger_unreachable", _problem(answer)[1])
                break
            time.sleep(pause)
        for name, usage in (totals or {}).items():
            saved_model, _, tier = name.partition(" ")
            started.report(saved_model, usage, tier=tier or STANDARD)
        return started

    def flush(self, timeout: float = 30.0) -> bool:
        """Waits until the ledger has processed all reports. Returns False if that takes longer."""
        return self._wait(lambda: not self._changed, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Sends what is left, for at most `timeout` seconds, and stops. Returns whether everything was sent."""
        flushed = self.flush(timeout)
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        return flushed

    def __enter__(self) -> "Fuelgauge":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _mark(self, meter: "_Meter") -> None:
        """Sends the meter soon. The caller holds the lock."""
        meter.version += 1
        # A refused meter is tried once more when it is final, because the price book may have changed by then.
        if meter.refused is not None and not meter.final:
            return
        meter.refused = None
        self._changed[id(meter)] = meter
        meter.schedule()
        if self._closed:  # It is not sent, but it counts as unreported.
            self._say_closed(meter)
            return
        if self._thread is None or not self._thread.is_alive():
            self._start_thread()
        if meter.due_at < self._sleeps_until:
            self._wake.notify_all()

    def _drop(self, meter: "_Meter") -> None:
        """Stops sending a meter that was merged into another one. The caller holds the lock."""
        self._changed.pop(id(meter), None)
        meter.acked = meter.version

    def _say_closed(self, meter: "_Meter") -> None:
        if not self._said_closed:
            self._said_closed = True
            detail = "the client was closed before this run ended, so its last totals are not sent"
            place = {"run": meter.run.id, "model": meter.model}
            self._untold.append({"kind": "reported_after_close", **place, "detail": detail})

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._send_forever, name="fuelgauge", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # Too many threads, or the program is ending. The next report tries again.
            return
        self._thread = thread

    def _wait(self, is_done: Callable[[], bool], timeout: float) -> bool:
        with self._wake:
            # A closed client sends nothing more, so nothing is left to wait for.
            self._wake.wait_for(lambda: self._closed or is_done(), timeout)
            return is_done()

    def _send_forever(self) -> None:
        failures = 0
        while True:
            with self._wake:
                self._sleeps_until = float("inf")
                self._wake.wait_for(lambda: self._closed or bool(self._changed))
                if self._closed:
                    self._connection.close()
                    return
                now = time.monotonic()
                due = [meter for meter in self._changed.values() if meter.due_at <= now][:MAX_BATCH]
                if not due:
                    self._sleeps_until = min(meter.due_at for meter in self._changed.values())
                    self._wake.wait(max(0.001, self._sleeps_until - now))
                    continue
                self._sleeps_until = float("-inf")
            try:
                failed = self._settle_tiers(due) or self._deliver(due)
            except Exception as error:  # A bug in here must not end the reporting.
                failed = _Answer(0, {"detail": repr(error)})
            self._tell()
            self._failing = failed is not None
            if failed is None:
                failures = 0
                continue
            failures += 1
            pause = _pause(failures, failed.retry_after)
            self._say_unreachable(failed, pause)
            again = time.monotonic() + pause
            while not self._closed and time.monotonic() < again:
                self._stop_runs_over_limit()
                with self._wake:
                    self._wake.wait_for(lambda: self._closed, min(1.0, max(0.0, again - time.monotonic())))

    def _over_limit(self) -> bool:
        if self._max_unreported is None or not self._failing:
            return False
        with self._wake:
            unreported = sum(meter.unreported for meter in self._changed.values())
        return unreported > self._max_unreported

    def _stop_runs_over_limit(self) -> None:
        if self._over_limit():
            with self._wake:
                runs = {id(meter.run): meter.run for meter in self._changed.values()}
            for run in runs.values():
                run._act("stop", "ledger_unreachable")

    def _say_unreachable(self, answer: "_Answer", pause: float) -> None:
        code, detail = _problem(answer)
        self._trouble({"kind": "unreachable", "status": answer.status, "code": code, "detail": detail, "pause": pause})

    def _settle_tiers(self, due: List["_Meter"]) -> Optional["_Answer"]:
        """Asks for the tiers of usage that waits for them. Returns None, or the failed answer without a connection."""
        waiting = [meter for meter in due if meter.tier is None]
        failed = None
        for name in {name for meter in waiting for _, name in list(meter.parts)}:
            failed = self._tiers.ask(name) or failed
        with self._wake:
            for run in {id(meter.run): meter.run for meter in waiting}.values():
                run._settle_tiers()
            if failed is None or failed.status in (0, 401):
                return failed
            # Other meters are not held up by this: reports may be accepted although this route fails.
            pause = max(MIN_INTERVAL_SECONDS, failed.retry_after) + random.random()
            for meter in waiting:
                meter.ask_at = time.monotonic() + pause
                meter.schedule()
        self._say_unreachable(failed, pause)
        return None

    def _deliver(self, due: List["_Meter"]) -> Optional["_Answer"]:
        """Sends one batch. Returns None if the ledger has processed every report, else the failed answer."""
        runs = {id(meter.run): meter.run for meter in due if meter.tier is not None}
        for run in runs.values():
            if run._started_at is None:
                failed = run._register()
                if failed is not None:
                    return failed
        # Saved before they are sent, so that a process that is started again never has less than the ledger.
        for run in runs.values():
            run._save()
        with self._wake:
            sendable = [meter for meter in due if meter.tier is not None and id(meter) in self._changed]
            snapshots = [(meter, meter.version, meter.run._report(meter)) for meter in sendable]
            for meter in sendable:
                meter.sent_at = time.monotonic()
                meter.schedule()
        if not snapshots:
            return None
        answer = self._call("POST", "/debits", {"reports": [report for _, _, report in snapshots]}, self._timeout)
        results = answer.body.get("results")
        if answer.status != 200:
            return answer
        if not isinstance(results, list) or len(results) != len(snapshots) or not all(map(_is_result, results)):
            return _Answer(0, {"detail": "the response does not come from a ledger"})
        failed = None
        for (meter, version, report), result in zip(snapshots, results):
            status = result.get("status")
            if status is None:
                self._accept(meter, version, report, result)
            elif status == 429 or status >= 500:
                failed = _Answer(status, result)
            else:
                self._refuse(meter, version, report, result)
        return failed

    def _accept(self, meter: "_Meter", version: int, report: Json, result: Json) -> None:
        run = meter.run
        with self._wake:
            meter.acked = version
            meter.acked_tokens = sum(report["usage"].values())
            meter.priced = result.get("priced") is not False
            if meter.settled:
                self._changed.pop(id(meter), None)
            run._rename(meter, str(result["model"]))
            run._answer = result
            after = result.get("report_after_ms")
            if isinstance(after, (int, float)):
                run._report_after = min(MAX_REPORT_AFTER_SECONDS, after / 1000)
                meter.schedule()
            # Set before `finish` and `flush` return, so that the agent sees the action of the report it waited for.
            is_news = run._set_action(result["action"], result.get("reason"))
            self._wake.notify_all()
        if is_news:
            run._tell_action()

    def _refuse(self, meter: "_Meter", version: int, report: Json, result: Json) -> None:
        with self._wake:
            if meter.final and report.get("final") is not True:
                # It became final while this report was under way, so its final totals have not been sent yet.
                return
            meter.refused = result
            meter.acked = version
            self._changed.pop(id(meter), None)
            self._wake.notify_all()
        self._trouble({"kind": "report_refused", "run": report["run"], "model": report["model"], **result})

    def _tell(self) -> None:
        """Reports the troubles that were found while the lock was held. The caller does not hold it any more."""
        while self._untold:
            try:
                trouble = self._untold.popleft()
            except IndexError:  # Another thread reports it.
                return
            self._trouble(trouble)

    def _trouble(self, trouble: Json) -> None:
        try:
            if self._on_trouble is not None:
                self._on_trouble(trouble)
            else:
                _log.warning("%s", json.dumps(trouble, default=str))
        except BaseException:  # A logger that fails, or exits, must not stop the reporting.
            pass

    def _call_within(self, seconds: float, method: str, path: str, body: Optional[Json] = None) -> "_Answer":
        """Like `_call`, with another connection, from any thread. The limit also holds for name servers."""
        answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()

        def call() -> None:
            connection = _Connection(self._address)
            answers.put(self._call(method, path, body, seconds, connection))
            connection.close()

        try:
            threading.Thread(target=call, name="fuelgauge-call", daemon=True).start()
            return answers.get(timeout=seconds)
        except queue.Empty:
            return _Answer(0, {"code": "ledger_unreachable", "detail": f"no response within {seconds:.1f} s"})
        except RuntimeError as error:
            return _Answer(0, {"code": "ledger_unreachable", "detail": repr(error)})

    def _call(
        self,
        method: str,
        path: str,
        body: Optional[Json],
        seconds: float,
        connection: Optional["_Connection"] = None,
    ) -> "_Answer":
        """Sends one request. It never raises: without a response, the status is 0."""
        try:
            key = (self._key() if callable(self._key) else self._key).strip()
            if not (key.isascii() and key.isprintable()):  # http.client would name the key in its error.
                raise ValueError("the key is not one line of ASCII")
            headers = {
                "Authorization": f"Bearer {key}",
                # Firewalls refuse the User-Agent of urllib more often than others.
                "User-Agent": f"fuelgauge-python/{__version__}",
            }
            # An id that is no text, such as a UUID, must not hold up the reports of all runs.
            content = None if body is None else json.dumps(body, default=str).encode()
            if content is not None:
                headers["Content-Type"] = "application/json"
            path = path if path.startswith("/v1/") else self._base + path
            return (connection or self._connection).send(method, path, content, headers, seconds)
        except Exception as error:  # The network, or the function that returns the key.
            detail = f"{type(error).__name__}: {error}"
            return _Answer(0, {"code": "ledger_unreachable", "detail": detail})


def _client_closed() -> RunRefused:
    return RunRefused("client_closed", "the client was closed, so it sends no reports")


def _is_result(result: object) -> bool:
    if not isinstance(result, dict):
        return False
    if "status" in result:
        return isinstance(result["status"], int)
    return isinstance(result.get("model"), str) and isinstance(result.get("action"), str)


_clients: "weakref.WeakSet[Fuelgauge]" = weakref.WeakSet()


def _begin_in_child() -> None:
    for client in list(_clients):
        client._reset()


def _end_of_program() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for client in list(_clients):
        if not client._closed:
            client.close(max(0.0, deadline - time.monotonic()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
atexit.register(_end_of_program)


@dataclass
class _Meter:
    """One run's use of one model at one price tier. `version` counts changes, `acked` those that the ledger has."""

    run: "Run"
    model: str
    tier: Optional[str]
    """None while it depends on thresholds that the client does not know yet. The meter is not sent until then."""
    parts: Dict[Tuple[str, str], Totals] = field(default_factory=dict)
    """By origin and the caller's name of the model: `=` for `report`, `+` for ended calls, else a call in progress."""
    final: bool = False
    estimated: bool = False
    version: int = 0
    acked: int = 0
    acked_tokens: int = 0
    sent_at: float = float("-inf")
    ask_at: float = float("-inf")
    due_at: float = float("-inf")
    refused: Optional[Json] = None
    priced: bool = True

    @property
    def settled(self) -> bool:
        return self.refused is not None or self.acked == self.version

    @property
    def totals(self) -> Totals:
        return _sum(self.parts.values())

    @property
    def unreported(self) -> int:
        return max(0, sum(sum(part.values()) for part in self.parts.values()) - self.acked_tokens)

    def schedule(self) -> None:
        # A final report is not delayed: nothing more is collected after it.
        interval = MIN_INTERVAL_SECONDS if self.final else max(MIN_INTERVAL_SECONDS, self.run._report_after)
        self.due_at = max(self.sent_at + interval, self.ask_at)

    def absorb(self, other: "_Meter") -> None:
        """Adds the totals of another meter, which turned out to be the same model under another name."""
        for origin, totals in other.parts.items():
            self.parts[origin] = _sum([self.parts.get(origin, {}), totals])
        self.final = self.final or other.final
        self.estimated = self.estimated or other.estimated


class Run:
    """One execution of an agent. Made by `Fuelgauge.start_run`; finish it, or use it in a `with` statement."""

    def __init__(
        self,
        client: Fuelgauge,
        asked: Json,
        on_action: Optional[Callable[[str, Optional[str]], None]] = None,
        keep: Optional[Callable[[Dict[str, Totals]], object]] = None,
    ) -> None:
        self.id: str = asked["run"]
        self.action = "continue"
        """What the ledger asks the run to do: `continue`, `wind_down` or `stop`."""
        self.reason: Optional[str] = None
        self.hold: Optional[Json] = None
        """The hold when the run started: `micros` and `expires_at`. None without a hold."""
        self.gauge: Optional[Json] = None
        """The enterprise's balance when the run started. None if the ledger did not admit the run."""
        self._client = client
        self._asked = asked
        self._on_action = on_action
        self._keep = keep
        self._meters: Dict[Tuple[str, Optional[str]], _Meter] = {}
        self._canonical: Dict[Tuple[str, Optional[str]], str] = {}
        self._invalid: Dict[Tuple[str, str, str], Json] = {}
        self._not_counted: List[Json] = []
        self._waiting_calls: List["Call"] = []
        self._calls = 0
        self._finished = False
        self._answer: Optional[Json] = None
        self._report_after = 0.0
        self._started_at: Optional[str] = None
        self._started_steady = time.monotonic()

    @property
    def should_stop(self) -> bool:
        return self.action == "stop"

    @property
    def totals(self) -> Dict[str, Totals]:
        """The running totals by model, and by "MODEL TIER" for other tiers. Save them to continue after a restart."""
        totals: Dict[str, Totals] = {}
        with self._client._wake:
            for meter in self._meters.values():
                # Usage whose tier is not known yet is saved as standard, so that a restart does not lose it.
                suffix = "" if meter.tier in (None, STANDARD) else f" {meter.tier}"
                for (_, name), part in meter.parts.items():
                    totals[name + suffix] = _sum([totals.get(name + suffix, {}), part])
        return totals

    def report(self, model: str, usage: Usage, *, tier: str = STANDARD, estimated: bool = False) -> None:
        """Sets the running totals of everything that the run has used of this model so far, at one price tier.

        It never waits and never raises. A count that cannot be right, or an unknown kind, is passed to `on_trouble`, the
        other kinds are counted, and `finish` returns the usage in `refused` unless later totals are right.
        """
        with self._client._wake:
            before = self._meter(model, tier).parts.get(("=", model))
            totals = self._checked("=", model, tier, usage, before)
            self._set_part("=", model, tier, totals, estimated)
        self._client._tell()

    def meter(
        self,
        stream: Union[Iterable[Event], AsyncIterable[Event]],
        *,
        model: Optional[str] = None,
        tier: Optional[str] = None,
        estimate: bool = False,
        prompt: Any = None,
    ) -> "Metered[Event]":
        """Passes the events of a model's stream through, and reports the usage that they state.

        Use the result in `for` or `async for`. It understands the streams of OpenAI (and the many interfaces that imitate
        it), Anthropic, Google and Amazon Bedrock's Converse, as objects of their SDKs or as dicts. `model` replaces the
        name in the responses; Bedrock's have none, so pass it. `tier` is for streams that do not state their service tier.
        With `estimate`, the usage of a stream that is cut off is estimated from its text; `prompt` is what was sent as the
        prompt, or the number of its tokens.
        """
        return Metered(self, stream, _Options(model, tier, estimate, prompt))

    def record(self, response: Event, *, model: Optional[str] = None, tier: Optional[str] = None) -> Event:
        """Reports the usage of a complete response, and returns the response. The options are those of `meter`."""
        metering = _Metering(self, _Options(model, tier), is_complete=True)
        metering.add(response)
        metering.end(None)
        return response

    def call(self) -> "Call":
        """Begins a model call. Its running totals are added to those of the run's other calls."""
        with self._client._wake:
            self._calls += 1
            return Call(self, str(self._calls))

    def finish(self, timeout: float = 30.0) -> Finished:
        """Closes all meters with their last totals. Waits at most `timeout` seconds; reports go on after that."""
        with self._client._wake:
            self._finished = True
            for meter in self._meters.values():
                if not meter.final:
                    meter.final = True
                    self._client._mark(meter)
        self._client._tell()
        settled = self._client._wait(lambda: all(meter.settled for meter in self._meters.values()), timeout)
        with self._client._wake:
            meters = list(self._meters.values())
            answer = self._answer or {}
            refused = [{"model": one.model, "tier": one.tier or STANDARD, **one.refused} for one in meters if one.refused]
            accepted = len(meters) > len(refused)
            refused += self._invalid.values()
        # The last final report ends the hold. Without one that the ledger accepted, the hold is released here.
        if self._asked.get("hold_micros") and not accepted:
            self._release_hold(timeout)
        unpriced = list({meter.model: None for meter in meters if not meter.priced})
        delivered = settled and not refused
        charged, unit = answer.get("run_total_micros"), answer.get("unit")
        return Finished(delivered, charged, unit, refused, unpriced, list(self._not_counted))

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_error: object) -> None:
        self.finish()

    def _release_hold(self, timeout: float) -> None:
        self._client._call_within(max(0.05, min(timeout, 5.0)), "DELETE", f"/runs/{quote(self.id, safe='')}/hold")

    def _meter(self, name: str, tier: Optional[str]) -> _Meter:
        model = self._canonical.get((name, tier), name)
        meter = self._meters.get((model, tier))
        if meter is None:
            meter = self._meters[(model, tier)] = _Meter(self, model, tier, final=self._finished)
        return meter

    def _checked(self, origin: str, model: str, tier: str, usage: object, before: Optional[Totals]) -> Totals:
        """Returns what is right in a usage, and reports what is wrong. A wrong count keeps its total of `before`."""
        totals, wrong = _read_usage(usage, before or {})
        name = (origin, model, tier)
        if wrong is None:
            self._invalid.pop(name, None)
        elif name not in self._invalid and len(self._invalid) < MAX_NAMED:
            # It is reported once, not for each token of a stream.
            detail = {"code": "invalid_usage", "detail": wrong}
            self._invalid[name] = {"model": model, "tier": tier, "status": 0, **detail}
            self._client._untold.append({"kind": "invalid_usage", "run": self.id, "model": model, "detail": wrong})
        return totals

    def _set_part(self, origin: str, name: str, tier: Optional[str], totals: Totals, estimated: bool) -> None:
        meter = self._meter(name, tier)
        if meter.parts.get((origin, name)) == totals and meter.estimated >= estimated:
            return
        meter.parts[(origin, name)] = totals
        meter.estimated = meter.estimated or estimated
        self._client._mark(meter)

    def _remove_part(self, origin: str, name: str, tier: Optional[str]) -> None:
        meter = self._meter(name, tier)
        if meter.parts.pop((origin, name), None) is None:
            return
        if meter.parts or meter.sent_at > float("-inf"):
            self._client._mark(meter)
            return
        self._meters.pop((meter.model, meter.tier), None)
        self._client._drop(meter)

    def _end_part(self, origin: str, name: str, tier: Optional[str]) -> None:
        """Adds the totals of a call in progress to those of ended calls."""
        parts = self._meter(name, tier).parts
        if (origin, name) in parts:
            parts[("+", name)] = _sum([parts.get(("+", name), {}), parts.pop((origin, name))])

    def _settle_tiers(self) -> None:
        for call in self._waiting_calls:
            call._settle()
        self._waiting_calls = [call for call in self._waiting_calls if call._is_waiting]

    def _call_ended(self, uncounted: Optional[Json]) -> None:
        if uncounted is None:
            return
        if len(self._not_counted) < MAX_NAMED:
            self._not_counted.append(uncounted)
        kind = "partial_usage" if uncounted["partial"] else "no_usage"
        self._client._trouble({"kind": kind, "run": self.id, **uncounted})

    def _rename(self, meter: _Meter, canonical: str) -> None:
        """Merges the meters of an alias and its model: the totals under both names add up. The caller holds the lock."""
        known = (meter.model, meter.tier)
        if meter.model == canonical or self._meters.get(known) is not meter:
            return
        self._canonical[known] = canonical
        del self._meters[known]
        other = self._meters.get((canonical, meter.tier))
        if other is None:
            meter.model = canonical
            self._meters[(canonical, meter.tier)] = meter
            return
        other.absorb(meter)
        self._client._drop(meter)
        self._client._mark(other)

    def _save(self) -> None:
        if self._keep is None:
            return
        try:
            self._keep(self.totals)
        except BaseException as error:  # Without the copy, the totals are safest in the ledger.
            self._client._trouble({"kind": "keep_failed", "run": self.id, "detail": repr(error)})

    def _report(self, meter: _Meter) -> Json:
        place: Json = {name: self._asked[name] for name in ("surface", "workspace", "user", "group") if name in self._asked}
        report: Json = {"run": self.id, "model": meter.model, "usage": meter.totals, **place}
        report["started_at"] = self._started_at
        # Fields with their usual values are left out, so that earlier versions of the ledger accept the report.
        if meter.tier != STANDARD:
            report["tier"] = meter.tier
        if meter.final:
            report["final"] = True
        if meter.estimated:
            report["estimated"] = True
        return report

    def _register(self) -> Optional["_Answer"]:
        """Registers a run that started without the ledger. Returns None once it may report."""
        answer = self._client._call("POST", "/runs", self._asked, self._client._timeout)
        suspended = answer.body.get("code") == "enterprise_suspended"
        if answer.transient or answer.status in (401, 404) or (answer.status == 403 and not suspended):
            return answer
        if answer.status in (200, 201) and answer.body.get("admitted") is not True:
            return _Answer(0, {"detail": "the response does not come from a ledger"})
        self._registered(answer)
        if answer.status not in (200, 201):
            self._act("stop", answer.body.get("code"))
        return None

    def _registered(self, answer: "_Answer") -> None:
        """Takes the run's start by the ledger's clock, because the clock of an agent's machine may be wrong."""
        self.hold, self.gauge = answer.body.get("hold"), answer.body.get("gauge")
        as_of = (self.gauge or {}).get("as_of")
        now = _parse_time(as_of) if as_of else (answer.date or time.time())
        started = now - (time.monotonic() - self._started_steady)
        self._started_at = datetime.fromtimestamp(started, timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"

    def _act(self, action: str, reason: Optional[str]) -> None:
        if self._set_action(action, reason):
            self._tell_action()

    def _set_action(self, action: str, reason: Optional[str]) -> bool:
        """Returns whether the action or its reason has changed."""
        if (action, reason) == (self.action, self.reason):
            return False
        self.action, self.reason = action, reason
        return True

    def _tell_action(self) -> None:
        """Calls the listener. The caller does not hold the lock."""
        if self._on_action is not None:
            try:
                self._on_action(self.action, self.reason)
            except BaseException as error:  # SystemExit too: it would end the thread that sends the reports.
                self._client._trouble({"kind": "listener_failed", "run": self.id, "detail": repr(error)})


@dataclass
class _Counted:
    """The running totals of one response of a provider, or of one iteration inside it that states its own usage."""

    model: str
    usage: Totals
    tier: Optional[str] = None
    """The service tier that the response states, such as `flex`; None for the standard tier."""
    prompt_tokens: Optional[int] = None
    """The whole prompt as the provider states it. Without it, the sum of the usage's input and cache kinds."""
    estimated: bool = False


class Call:
    """One model call within a run. Its price tier is found by its service tier and the length of its prompt."""

    def __init__(self, run: Run, origin: str) -> None:
        self._run = run
        self._origin = origin
        self._given: Optional[List[_Counted]] = None
        self._counted: List[_Counted] = []
        self._parts: Dict[Tuple[str, Optional[str]], Tuple[Totals, bool]] = {}
        self._ended = False

    def update(
        self,
        model: str,
        usage: Usage,
        *,
        tier: Optional[str] = None,
        prompt_tokens: Optional[int] = None,
        estimated: bool = False,
    ) -> None:
        """Sets the call's running totals for a model. A call that uses several models updates each of them."""
        with self._run._client._wake:
            if self._ended:
                return
            before = next((one.usage for one in self._counted if one.model == model), None)
            totals = self._run._checked(self._origin, model, STANDARD, usage, before)
            others = [one for one in self._counted if one.model != model]
            self._place([*others, _Counted(model, totals, tier, prompt_tokens, estimated)])
        self._run._client._tell()

    def end(self) -> None:
        """Ends the call, whether it succeeded or not. The run keeps the call's totals, and ignores later updates."""
        detail = "a model call ended without any usage: call.update() was not called"
        self._end(None if self._counted else _uncounted("not_stated", detail, None, False))

    def __enter__(self) -> "Call":
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def _set(self, counted: List[_Counted]) -> None:
        """Sets everything that the call has counted so far. Each entry is one response of the provider."""
        if counted is self._given:
            return
        with self._run._client._wake:
            self._given = counted
            if not self._ended:
                before = [one.usage for one in self._counted] + [{}] * len(counted)
                checked = []
                for place, one in enumerate(counted):
                    origin = f"{self._origin}.{place}"
                    totals = self._run._checked(origin, one.model, STANDARD, one.usage, before[place])
                    checked.append(replace(one, usage=totals))
                self._place(checked)
        self._run._client._tell()

    def _end(self, uncounted: Optional[Json]) -> None:
        with self._run._client._wake:
            if self._ended:
                return
            self._ended = True
            if not self._is_waiting:
                self._end_parts()
        self._run._call_ended(uncounted)

    @property
    def _is_waiting(self) -> bool:
        return any(tier is None for _, tier in self._parts)

    def _settle(self) -> None:
        """Places waiting usage again, now that more tiers may be known."""
        self._place(self._counted)
        if self._ended and not self._is_waiting:
            self._end_parts()

    def _place(self, counted: List[_Counted]) -> None:
        self._counted = counted
        parts: Dict[Tuple[str, Optional[str]], Tuple[Totals, bool]] = {}
        for one in counted:
            prompt = _sum_of_prompt(one.usage) if one.prompt_tokens is None else one.prompt_tokens
            name = (one.model, self._run._client._tiers.tier_of(one.model, one.tier, prompt))
            totals, estimated = parts.get(name, ({}, False))
            parts[name] = (_sum([totals, one.usage]), estimated or one.estimated)
        before, self._parts = self._parts, parts
        for model, tier in before:
            if (model, tier) not in parts:
                self._run._remove_part(self._origin, model, tier)
        for (model, tier), (totals, estimated) in parts.items():
            if before.get((model, tier)) != (totals, estimated):
                self._run._set_part(self._origin, model, tier, totals, estimated)
        if self._is_waiting and self not in self._run._waiting_calls:
            self._run._waiting_calls.append(self)

    def _end_parts(self) -> None:
        for model, tier in self._parts:
            self._run._end_part(self._origin, model, tier)
        self._parts, self._counted = {}, []


class _PriceTiers:
    """Decides the price tier of a call. A model may cost more once a call's prompt passes a threshold, and the ledger cannot
    see single calls. So the client asks for a model's tiers once, and again after an hour, because prices may change.
    """

    SERVICE_TIERS = ("batch", "flex", "priority")
    """The service tiers of which the price book's built-in entries have prices."""
    KEEP_SECONDS = 3600.0

    def __init__(self, client: Fuelgauge) -> None:
        self._client = client
        self._known: Dict[str, Tuple[float, Dict[str, Optional[int]]]] = {}
        self._asking: Dict[str, bool] = {}

    def tier_of(self, model: str, service_tier: Optional[str], prompt_tokens: int) -> Optional[str]:
        """Returns the tier of a call, or None if the model's thresholds are not known yet."""
        known = self._known.get(model)
        if known is None:
            return None
        asked_at, thresholds = known
        if time.monotonic() - asked_at >= self.KEEP_SECONDS and model not in self._asking:
            self._asking[model] = True
            # The stream does not wait for the answer, and what is known holds until then.
            try:
                threading.Thread(target=self.ask, args=(model, True), name="fuelgauge-tiers", daemon=True).start()
            except RuntimeError:  # Too many threads, or the program is ending. The next call tries again.
                self._asking.pop(model, None)
        return _choose_tier(thresholds, service_tier or STANDARD, prompt_tokens)

    def ask(self, model: str, again: bool = False) -> Optional["_Answer"]:
        """Asks for a model's tiers, unless they are known. Returns None once they are known, else the failed answer."""
        if model in self._known and not again:
            return None
        path, client = f"/v1/price-book/models/{quote(model, safe='')}", self._client
        # Only the thread that sends the reports may use the client's own connection.
        connection = _Connection(client._address) if again else None
        answer = client._call("GET", path, None, client._timeout, connection)
        if connection is not None:
            connection.close()
        self._asking.pop(model, None)
        # A 404 means that nothing prices the model. It has no tiers then.
        if not answer.transient and answer.status != 401:
            tiers = answer.body.get("tiers") if answer.status == 200 else None
            self._known[model] = (time.monotonic(), _thresholds_of(tiers))
            return None
        if model in self._known:
            self._known[model] = (time.monotonic(), self._known[model][1])
            return None
        return answer


def _thresholds_of(tiers: object) -> Dict[str, Optional[int]]:
    """The thresholds by name of the tier; None for a tier without a threshold."""
    if not isinstance(tiers, dict):
        return {}
    above = {name: tier.get("above_input_tokens") if isinstance(tier, dict) else None for name, tier in tiers.items()}
    return {name: value if isinstance(value, int) else None for name, value in above.items()}


def _choose_tier(thresholds: Mapping[str, Optional[int]], service_tier: str, prompt_tokens: int) -> str:
    """Chooses the highest threshold that the prompt exceeds.

    For a service tier these are the tiers that combine both, such as `batch_above_200000`; without one, the service tier.
    """
    services = [*_PriceTiers.SERVICE_TIERS, *(name for name, above in thresholds.items() if above is None)]
    chosen, highest = service_tier, -1
    for name, own in thresholds.items():
        service = next((prefix for prefix in services if name.startswith(f"{prefix}_")), STANDARD)
        if service != service_tier:
            continue
        above = own
        if above is None and service != STANDARD:
            # A combined tier without a threshold shares that of the standard tier of the same name.
            sibling = name[len(service) + 1 :]
            stated = re.fullmatch(r"above_(\d+)", sibling)
            above = thresholds.get(sibling) or (int(stated.group(1)) if stated else None)
        if above is not None and highest < above < prompt_tokens:
            chosen, highest = name, above
    return chosen


def _read_usage(usage: object, before: Mapping[str, int]) -> Tuple[Totals, Optional[str]]:
    """Reads a usage as the ledger does, and says what is wrong with it. What is wrong keeps its total of `before`."""
    main = {"input_tokens": before.get("input_tokens", 0), "output_tokens": before.get("output_tokens", 0)}
    if not isinstance(usage, Mapping):
        return {**main, **before}, f"a usage must be a mapping, not {_shown(usage)}"
    totals: Totals = {"input_tokens": 0, "output_tokens": 0}
    wrong = unknown = None
    try:
        given = dict(usage)  # Another thread may add a kind meanwhile.
    except Exception as error:
        return {**main, **before}, f"the usage cannot be read: {_shown(error)}"
    for kind, value in given.items():
        if kind not in KINDS:
            unknown = unknown or _describe_unknown(str(kind))
            continue
        if value is None:
            continue
        quantity = _quantity(value)
        if quantity is None:
            wrong = wrong or f"{kind} must be an integer from 0 to 10^12, not {_shown(value)}"
            quantity = before.get(kind, 0)
        if quantity > 0:
            totals[kind] = quantity
    if unknown is not None:
        # A kind that is missing may be the one with the wrong name, so its total stays.
        totals.update({kind: quantity for kind, quantity in before.items() if given.get(kind) is None})
    return totals, wrong or unknown


def _quantity(value: object) -> Optional[int]:
    """Returns a count, of NumPy too, or None if it cannot be right."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        quantity = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return None if isinstance(value, bool) or not 0 <= quantity <= MAX_QUANTITY else int(quantity)


def _describe_unknown(name: str) -> str:
    snake = re.sub(r"[A-Z]", lambda letter: "_" + letter.group().lower(), name)
    return f"{name} is not a kind of usage" + (f": it is named {snake}" if snake in KINDS else "")


def _shown(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception:
        return type(value).__name__


def _sum(usages: Iterable[Mapping[str, int]]) -> Totals:
    total: Totals = {"input_tokens": 0, "output_tokens": 0}
    for usage in usages:
        for kind, quantity in usage.items():
            if quantity > 0:
                total[kind] = total.get(kind, 0) + quantity
    return total


def _sum_of_prompt(usage: Mapping[str, int]) -> int:
    return sum(quantity for kind, quantity in usage.items() if "input" in kind or "cache" in kind)


# ---- The usage of providers. A fold reads the events of a stream one by one, and always knows the usage stated so far. ----


@dataclass
class _Options:
    model: Optional[str] = None
    tier: Optional[str] = None
    estimate: bool = False
    prompt: Any = None


class _Fold:
    """Reads the events of one stream, as dicts and lists."""

    camel = False
    """Whether names are converted to camelCase, because the provider's SDK converts them to snake_case."""

    def __init__(self, options: _Options) -> None:
        self.options = options

    def add(self, event: Json) -> None:
        raise NotImplementedError

    def counted(self) -> List[_Counted]:
        """The running totals so far, one entry per response; empty until the provider has stated a usage."""
        raise NotImplementedError

    def model(self) -> Optional[str]:
        raise NotImplementedError

    def ended(self) -> bool:
        """Whether the provider's last event has arrived."""
        raise NotImplementedError

    def stated(self) -> bool:
        """Whether the provider has stated the usage of everything so far."""
        raise NotImplementedError

    def estimated(self, prompt_tokens: int) -> List[_Counted]:
        """What has been counted, and an estimate of the rest."""
        raise NotImplementedError


class Metered(Generic[Event]):
    """A model's stream whose usage is reported while it passes. Use it in `for`, or in `async for`."""

    def __init__(self, run: Run, stream: Union[Iterable[Event], AsyncIterable[Event]], options: _Options) -> None:
        self._run = run
        self._stream = stream
        self._options = options

    def __iter__(self) -> Iterator[Event]:
        metering = _Metering(self._run, self._options)
        try:
            for event in self._stream:  # type: ignore[union-attr]
                metering.add(event)
                yield event
            metering.end(None)
        except BaseException as error:
            metering.end(error)
            raise

    async def __aiter__(self) -> AsyncIterator[Event]:
        metering = _Metering(self._run, self._options)
        try:
            async for event in self._stream:  # type: ignore[union-attr]
                metering.add(event)
                yield event
            metering.end(None)
        except BaseException as error:
            metering.end(error)
            raise


class _Metering:
    """Reports one call's usage to the run, event by event. It never raises."""

    def __init__(self, run: Run, options: _Options, is_complete: bool = False) -> None:
        self._run = run
        self._options = options
        self._is_complete = is_complete
        self._call = run.call()
        self._fold: Optional[_Fold] = None
        self._seen = False
        self._problem: Optional[str] = None

    def add(self, event: object) -> None:
        self._seen = True
        try:
            kind = _get(event, "type")
            if isinstance(kind, str) and not self._options.estimate and _has_no_usage(kind):
                return
            if self._fold is None:
                make = _fold_of(event)
                self._fold = None if make is None else make(self._options)
            if self._fold is not None:
                plain = _plain(event, self._fold.camel)
                if isinstance(plain, dict):
                    self._fold.add(plain)
                    self._call._set(self._fold.counted())
        except Exception as error:
            self._problem = self._problem or repr(error)

    def end(self, error: Optional[BaseException]) -> None:
        try:
            self._end(error)
        except Exception as problem:
            self._call._end(_uncounted("adapter_failed", repr(problem), None, bool(self._call._counted)))

    def _end(self, error: Optional[BaseException]) -> None:
        fold, options = self._fold, self._options
        partial = fold is not None and bool(fold.counted())
        model = (fold.model() if fold else None) or options.model
        ended = fold is not None and (self._is_complete or fold.ended())
        complete = fold is not None and ended and fold.stated() and (partial or model is not None)
        uncounted = None
        if self._problem is not None:
            uncounted = _uncounted("adapter_failed", self._problem, model, partial)
        elif not complete:
            uncounted = _uncounted(*_cause(error, self._run, fold, ended, model), model, partial)
        if not complete and options.estimate and self._seen and fold is not None and model is not None:
            prompt = options.prompt
            known = _quantity(prompt) if isinstance(prompt, (int, float)) else None
            estimated = fold.estimated(_estimate(_text_in(prompt)) if known is None else known)
            if estimated:
                self._call._set([replace(one, estimated=True) for one in estimated])
                uncounted = None if self._problem is None else uncounted
        self._call._end(uncounted)


def _uncounted(reason: str, detail: str, model: Optional[str], partial: bool) -> Json:
    """Why a call's usage is missing. `partial` means that the provider had stated some of it."""
    return {"reason": reason, "model": model, "partial": partial, "detail": detail}


def _cause(
    error: Optional[BaseException], run: Run, fold: Optional[_Fold], ended: bool, model: Optional[str]
) -> Tuple[str, str]:
    if fold is not None and fold.stated() and model is None:
        return "no_model", "the response does not name its model: pass model= to meter or record"
    if isinstance(error, GeneratorExit):
        return "left_early", "the stream was left before its usage arrived, for example by break: read it to its end"
    if error is not None:
        is_abort = isinstance(error, (KeyboardInterrupt, SystemExit)) or "Cancelled" in type(error).__name__
        if is_abort:
            return "aborted", "the stream was aborted before its usage arrived"
        return "failed", f"the stream failed before its usage arrived: {_shown(error)}"
    if fold is None:
        return "not_stated", "no event of a provider that the client knows: report the usage with run.call()"
    if ended:
        hint = "the stream states no usage: a chat stream of OpenAI needs stream_options={'include_usage': True}"
        return "not_stated", hint
    return "cut_off", "the stream ended before its usage arrived: it was aborted or cut off"


def _has_no_usage(kind: str) -> bool:
    """Whether an event with this type states no usage. Most events are such, and need no work."""
    return (kind.endswith("delta") and kind != "message_delta") or kind in ("text", "input_json", "thinking", "ping")


def _fold_of(event: object) -> Optional[Callable[[_Options], _Fold]]:
    """Returns the fold that understands a provider's event or complete answer."""
    kind, usage = _get(event, "type"), _get(event, "usage")
    if isinstance(kind, str):
        if kind.startswith(("message_", "content_block_")) or (kind == "message" and usage is not None):
            return _AnthropicFold
    for name in ("usage_metadata", "candidates", "server_content", "usageMetadata", "serverContent"):
        if _get(event, name) is not None:
            return _GoogleFold
    converse = ("messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata")
    if isinstance(event, Mapping) and any(isinstance(event.get(name), Mapping) for name in converse):
        return _BedrockFold
    if any(isinstance(_get(usage, name), int) for name in ("inputTokens", "outputTokens")) or _get(event, "stopReason"):
        return _BedrockFold
    names = ("choices", "response", "session", "x_groq", "usage", "object")
    return _OpenAIFold if isinstance(kind, str) or any(_get(event, name) is not None for name in names) else None


def _get(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


@functools.lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter.group(1).upper(), name)


def _plain(value: Any, camel: bool = False, depth: int = 0) -> Any:
    """Returns an object of a provider's SDK as dicts and lists. Its attributes are its fields."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value.value if isinstance(value, enum.Enum) else value
    if depth > 20 or callable(value):
        return None
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(one, camel, depth + 1) for one in value]
    if not isinstance(value, Mapping):
        # Objects of pydantic keep what their version of the SDK does not know apart from their fields.
        more = getattr(value, "__pydantic_extra__", None)
        fields = getattr(value, "__dict__", None)
        if not isinstance(fields, dict):
            return None
        value = {**fields, **more} if isinstance(more, dict) else fields
    named = ((str(name), one) for name, one in list(value.items()))
    return {_camel(name) if camel else name: _plain(one, camel, depth + 1) for name, one in named if name[:1] != "_"}


def _record(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _records(value: object) -> List[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _first_record(fields: Json, *names: str) -> Json:
    return next((fields[name] for name in names if isinstance(fields.get(name), dict)), {})


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _name(value: object) -> Optional[str]:
    return value if isinstance(value, str) and value != "" else None


def _count(value: object) -> int:
    """Returns a provider's number as a count, or 0 if it is missing or not a positive integer."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else 0


def _number(value: object) -> Optional[int]:
    return _count(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _largest(*values: object) -> int:
    """Returns the largest of several places at which providers state the same number."""
    return max(map(_count, values), default=0)


def _merge(before: Json, stated: object) -> Json:
    """Returns the fields that an event states. A None does not replace an earlier number, and neither does a 0."""
    merged = dict(before)
    for name, value in _record(stated).items():
        known = merged.get(name)
        if value is None or (value == 0 and _count(known) > 0):
            continue
        merged[name] = _merge(known, value) if isinstance(value, dict) and isinstance(known, dict) else value
    return merged


def _states_usage(usage: object) -> bool:
    """Whether a usage states anything but zeros."""
    return isinstance(usage, dict) and any(_count(value) > 0 or _states_usage(value) for value in usage.values())


def _service_tier(stated: object) -> Optional[str]:
    """Returns the price tier that a provider's name of a service tier stands for; None for the standard tier."""
    name = str(stated or "").lower()
    if re.fullmatch(r"|auto|default|standard|standard_only|on_demand|(.*_)?unspecified", name):
        return None
    tier = re.sub(r"[^a-z0-9_]", "_", re.sub(r"^on_demand_", "", name))
    return tier if re.fullmatch(r"[a-z][a-z0-9_]{0,31}", tier) else None


def _text_length(text: object) -> Tuple[int, int]:
    """ASCII characters, of which about four make a token, and others."""
    if not isinstance(text, str):
        return 0, 0
    ascii_only = len(text.encode("ascii", "ignore"))
    return ascii_only, len(text) - ascii_only


def _estimate(length: Tuple[int, int]) -> int:
    return math.ceil(length[0] / 4) + length[1]


def _add_length(a: Tuple[int, int], *texts: object) -> Tuple[int, int]:
    lengths = [a, *map(_text_length, texts)]
    return sum(one[0] for one in lengths), sum(one[1] for one in lengths)


def _text_in(prompt: object, depth: int = 0) -> Tuple[int, int]:
    """Counts the text in a prompt of any shape. Files in base64 are not text."""
    if isinstance(prompt, str):
        return (0, 0) if re.match(r"data:|[\w+/=-]{1000}", prompt, re.ASCII) else _text_length(prompt)
    if depth >= 20:
        return 0, 0
    inner = prompt.values() if isinstance(prompt, Mapping) else prompt if isinstance(prompt, (list, tuple)) else []
    lengths = [_text_in(one, depth + 1) for one in inner]
    return sum(one[0] for one in lengths), sum(one[1] for one in lengths)


def _split_prompt(
    tokens: int,
    cached: Tuple[int, int, int],
    media: Tuple[int, int],
    cached_media: Optional[Tuple[int, int]],
) -> Totals:
    """Splits a prompt that counts everything together into disjoint kinds.

    `cached` is read, written, and written for an hour. `media` is audio and images, cached or not; `cached_media` is those
    read from the cache, or None if they are not stated. What a provider states is never dropped because it does not fit.
    """
    read, written, written_1h = cached
    uncached = max(0, tokens - read - written if read + written <= tokens else tokens - max(read, written))
    from_cache = list(cached_media or (0, 0))
    fresh = [max(0, all_of - old) for all_of, old in zip(media, from_cache)]
    cached_text = max(0, read - sum(from_cache))
    text = uncached - sum(fresh)
    if text < 0 and cached_media is None:
        # There are more audio and images than uncached tokens: the rest of them came from the cache.
        for kind in (0, 1):
            moved = min(max(0, -text), cached_text, fresh[kind])
            fresh[kind] -= moved
            from_cache[kind] += moved
            cached_text -= moved
            text += moved
    return {
        "input_tokens": max(0, text),
        "output_tokens": 0,
        "cache_read_tokens": cached_text,
        "cache_write_tokens": max(0, written - written_1h),
        "cache_write_1h_tokens": written_1h,
        "input_audio_tokens": fresh[0],
        "cache_audio_read_tokens": from_cache[0],
        "input_image_tokens": fresh[1],
        "cache_image_read_tokens": from_cache[1],
    }


@dataclass
class _AnthropicMessage:
    id: Optional[str]
    model: str
    usage: Json
    ended: bool = False
    text: Tuple[int, int] = (0, 0)


class _AnthropicFold(_Fold):
    """Anthropic Messages. The kinds do not overlap. Cache writes of unknown lifetime count as five-minute writes.

    `message_start` states the prompt's usage, and each `message_delta` the totals so far. If a message lists `iterations`,
    Anthropic bills these: each is a separate call, and may name another model.
    """

    def __init__(self, options: _Options) -> None:
        super().__init__(options)
        self._messages: List[_AnthropicMessage] = []
        self._memo: Optional[List[_Counted]] = None

    def add(self, event: Json) -> None:
        kind = event.get("type")
        message = self._messages[-1] if self._messages else None
        started = event.get("message")
        if kind == "message_start" and isinstance(started, dict):
            self._start(started.get("id"), started.get("model") or "", started.get("usage"))
        elif kind == "message" and event.get("model") is not None:
            self._start(None, event["model"], event.get("usage")).ended = True
        elif kind == "message_delta" and message is not None:
            message.usage = _merge(message.usage, event.get("usage"))
            message.ended = message.ended or isinstance(_record(event.get("delta")).get("stop_reason"), str)
        elif kind == "message_stop" and message is not None:
            message.ended = True
        else:
            if message is not None and self.options.estimate and kind == "content_block_delta":
                delta = _record(event.get("delta"))
                message.text = _add_length(message.text, *map(delta.get, ("text", "thinking", "partial_json")))
            return
        self._memo = None

    def _start(self, id: Optional[str], model: str, usage: object) -> _AnthropicMessage:
        for one in self._messages:  # A repeated start must not reset the totals.
            if one.id == id and one.model == model and (id is not None or not one.ended):
                return one
        self._messages.append(_AnthropicMessage(id, model, _merge({}, usage)))
        return self._messages[-1]

    def counted(self) -> List[_Counted]:
        if self._memo is None:
            self._memo = [one for message in self._messages for one in self._counted_of(message, message.usage)]
        return self._memo

    def model(self) -> Optional[str]:
        return self.options.model or (self._messages[-1].model if self._messages else None)

    def ended(self) -> bool:
        return bool(self._messages) and self._messages[-1].ended

    def stated(self) -> bool:
        return bool(self._messages)

    def estimated(self, prompt_tokens: int) -> List[_Counted]:
        counted = []
        for message in self._messages:
            output = max(_count(message.usage.get("output_tokens")), _estimate(message.text))
            usage = message.usage if message.ended else {**message.usage, "output_tokens": output}
            counted += self._counted_of(message, usage)
        return counted

    def _counted_of(self, message: _AnthropicMessage, usage: Json) -> List[_Counted]:
        model = self.options.model or message.model
        stated = "fast" if usage.get("speed") == "fast" else _service_tier(usage.get("service_tier"))
        tier = self.options.tier or stated
        searches = {"web_searches": _count(_record(usage.get("server_tool_use")).get("web_search_requests"))}
        iterations = _records(usage.get("iterations"))
        if not iterations:
            return [_Counted(model, _sum([self._totals(usage), searches]), tier)]
        counted = []
        for one in iterations:
            own = one.get("model") in (None, message.model)
            counted.append(_Counted(model if own else one["model"], self._totals(one), tier))
        return counted + ([_Counted(model, _sum([searches]), tier)] if searches["web_searches"] else [])

    @staticmethod
    def _totals(usage: Json) -> Totals:
        lifetimes = _record(usage.get("cache_creation"))
        written_5m = _count(lifetimes.get("ephemeral_5m_input_tokens"))
        written_1h = _count(lifetimes.get("ephemeral_1h_input_tokens"))
        written = _count(usage.get("cache_creation_input_tokens"))
        totals = {
            "input_tokens": _count(usage.get("input_tokens")),
            "output_tokens": _count(usage.get("output_tokens")),
            "cache_read_tokens": _count(usage.get("cache_read_input_tokens")),
            "cache_write_tokens": max(written_5m, written - written_1h),
            "cache_write_1h_tokens": written_1h,
        }
        return _sum([totals])


@dataclass
class _GoogleAnswer:
    usage: Optional[Json] = None
    ended: bool = False
    web: Dict[str, None] = field(default_factory=dict)
    storage: Dict[str, None] = field(default_factory=dict)
    text: Tuple[int, int] = (0, 0)


class _GoogleFold(_Fold):
    """Google GenAI. Each chunk states the running totals of its response.

    The prompt's count includes cached tokens, but not the results of tools. The output's count does not include thoughts.
    Counts by modality tell audio and images from text.
    """

    camel = True

    def __init__(self, options: _Options) -> None:
        super().__init__(options)
        self._served: Optional[str] = None
        self._last: Optional[_GoogleAnswer] = None
        self._answers: List[_GoogleAnswer] = []
        self._by_id: Dict[str, _GoogleAnswer] = {}
        self._memo: Optional[List[_Counted]] = None

    def add(self, event: Json) -> None:
        self._memo = None
        self._served = _name(event.get("modelVersion")) or self._served
        id = event.get("responseId")
        id = id if isinstance(id, str) else ""
        usage = event.get("usageMetadata")
        answer = self._by_id.get(id) or (self._last if self._is_continued(usage) else None)
        if answer is None:
            answer = _GoogleAnswer()
            self._answers.append(answer)
        self._last = self._by_id[id] = answer
        if isinstance(usage, dict):
            answer.usage = _merge(answer.usage or {}, usage)
        live = event.get("serverContent")
        for candidate in [*_records(event.get("candidates")), *_records([live])]:
            self._add_candidate(answer, candidate)
        if isinstance(event.get("promptFeedback"), dict):
            answer.ended = True
        # The counts of a live session's turn arrive with its end, and the next turn has its own.
        if id == "" and answer.ended and isinstance(live, dict):
            del self._by_id[id]

    @staticmethod
    def _is_continued(usage: object) -> bool:
        """Whether these counts are the sum of several requests. This chunk belongs to the last of them."""
        initial = _record(usage).get("initialPromptTokenCount")
        return isinstance(initial, int) and initial < _count(_record(usage).get("promptTokenCount"))

    def _add_candidate(self, answer: _GoogleAnswer, candidate: Json) -> None:
        if candidate.get("finishReason") or candidate.get("turnComplete"):
            answer.ended = True
        grounding = _record(candidate.get("groundingMetadata"))
        for queries, stated in ((answer.web, "webSearchQueries"), (answer.storage, "retrievalQueries")):
            # Chunks repeat the queries of earlier chunks. An empty query is not a search.
            found = grounding.get(stated)
            queries.update({str(query): None for query in (found if isinstance(found, list) else []) if query != ""})
        turn = _record(_first(candidate.get("content"), candidate.get("modelTurn")))
        if self.options.estimate:
            for part in _records(turn.get("parts")):
                answer.text = _add_length(answer.text, part.get("text"))
                if part.get("functionCall") is not None:
                    answer.text = _add_length(answer.text, json.dumps(part["functionCall"], default=str))

    def counted(self) -> List[_Counted]:
        if self._memo is None:
            self._memo = [one for answer in self._answers for one in self._counted_of(answer)]
        return self._memo

    def model(self) -> Optional[str]:
        return self.options.model or self._served

    def ended(self) -> bool:
        return self._last is not None and self._last.ended

    def stated(self) -> bool:
        return self._last is not None and self._last.usage is not None

    def estimated(self, prompt_tokens: int) -> List[_Counted]:
        last = self._last
        return [
            one
            for answer in self._answers
            for one in self._counted_of(answer, prompt_tokens if answer is last else None)
        ]

    def _counted_of(self, answer: _GoogleAnswer, estimate: Optional[int] = None) -> List[_Counted]:
        model, usage = self.model(), answer.usage
        if model is None or (usage is None and estimate is None):
            return []
        totals, prompt = ({"input_tokens": estimate or 0}, estimate) if usage is None else self._totals(usage)
        if estimate is not None:
            totals["output_tokens"] = max(totals.get("output_tokens", 0), _estimate(answer.text))
        totals.update({"web_searches": len(answer.web), "storage_searches": len(answer.storage)})
        stated = usage or {}
        tier = self.options.tier or _service_tier(_first(stated.get("serviceTier"), stated.get("trafficType")))
        return [_Counted(model, _sum([totals]), tier, prompt)]

    @classmethod
    def _totals(cls, usage: Json) -> Tuple[Totals, int]:
        prompt = _count(usage.get("promptTokenCount"))
        tool_prompt = _count(usage.get("toolUsePromptTokenCount"))
        # A live session names the count of candidates in its own way.
        answered = _count(usage.get("candidatesTokenCount")) or _count(usage.get("responseTokenCount"))
        known = answered + _count(usage.get("thoughtsTokenCount"))
        # Some servers leave a part of the output out of its counts. The total shows it.
        output = max(known, _count(usage.get("totalTokenCount")) - prompt - tool_prompt)
        cached = usage.get("cacheTokensDetails")
        read = cls._media(cached) if isinstance(cached, list) else None
        asked = [cls._media(usage.get(name)) for name in ("promptTokensDetails", "toolUsePromptTokensDetails")]
        media = (asked[0][0] + asked[1][0], asked[0][1] + asked[1][1])
        made = cls._media(_first(usage.get("candidatesTokensDetails"), usage.get("responseTokensDetails")))
        totals = _split_prompt(prompt + tool_prompt, (_count(usage.get("cachedContentTokenCount")), 0, 0), media, read)
        totals["output_tokens"] = max(0, output - sum(made))
        totals["output_audio_tokens"], totals["output_image_tokens"] = made
        return totals, prompt

    @staticmethod
    def _media(details: object) -> Tuple[int, int]:
        """Adds up the counts by modality. Video and documents are priced like text."""
        counts = {"AUDIO": 0, "IMAGE": 0}
        for one in _records(details):
            if one.get("modality") in counts:
                counts[one["modality"]] += _count(one.get("tokenCount"))
        return counts["AUDIO"], counts["IMAGE"]


class _BedrockFold(_Fold):
    """Amazon Bedrock's Converse and ConverseStream. A stream states its usage in its last event, `metadata`.

    The kinds do not overlap. Responses do not name their model, unless a prompt router chose it.
    """

    def __init__(self, options: _Options) -> None:
        super().__init__(options)
        self._usage: Optional[Json] = None
        self._served: Optional[str] = None
        self._tier: Optional[str] = None
        self._ended = False
        self._memo: Optional[List[_Counted]] = None
        self._text = (0, 0)

    def add(self, event: Json) -> None:
        if self.options.estimate:
            delta = _record(_record(event.get("contentBlockDelta")).get("delta"))
            reasoning, tool = _record(delta.get("reasoningContent")), _record(delta.get("toolUse"))
            self._text = _add_length(self._text, delta.get("text"), reasoning.get("text"), tool.get("input"))
        if isinstance(event.get("messageStop"), dict):
            self._ended = True
        metadata = event.get("metadata")
        body = metadata if isinstance(metadata, dict) else event
        if not isinstance(body.get("usage"), dict):
            return
        self._usage, self._ended, self._memo = body["usage"], True, None
        if isinstance(body.get("serviceTier"), dict):
            self._tier = _service_tier(body["serviceTier"].get("type"))
        invoked = _record(_record(body.get("trace")).get("promptRouter")).get("invokedModelId")
        self._served = _name(invoked) or self._served

    def counted(self) -> List[_Counted]:
        if self._memo is None:
            self._memo = [] if self._usage is None else self._as(self._totals(self._usage))
        return self._memo

    def model(self) -> Optional[str]:
        name = self._served or self.options.model
        # The id is the end of an ARN such as arn:aws:bedrock:…:foundation-model/anthropic.claude-….
        return name.rsplit("/", 1)[-1] if name is not None and name.startswith("arn:") else name

    def ended(self) -> bool:
        return self._ended

    def stated(self) -> bool:
        return self._usage is not None

    def estimated(self, prompt_tokens: int) -> List[_Counted]:
        if self._usage is not None:
            return self._as(self._totals(self._usage))
        return self._as({"input_tokens": prompt_tokens, "output_tokens": _estimate(self._text)})

    def _as(self, totals: Totals) -> List[_Counted]:
        model = self.model()
        return [] if model is None else [_Counted(model, totals, self.options.tier or self._tier)]

    @staticmethod
    def _totals(usage: Json) -> Totals:
        details = _records(usage.get("cacheDetails"))
        written_1h = sum(_count(one.get("inputTokens")) for one in details if one.get("ttl") == "1h")
        written_5m = sum(_count(one.get("inputTokens")) for one in details if one.get("ttl") != "1h")
        read = _first(usage.get("cacheReadInputTokens"), usage.get("cacheReadInputTokenCount"))
        written = _first(usage.get("cacheWriteInputTokens"), usage.get("cacheWriteInputTokenCount"))
        totals = {
            "input_tokens": _count(usage.get("inputTokens")),
            "cache_read_tokens": _count(read),
            "cache_write_tokens": max(written_5m, _count(written) - written_1h),
            "cache_write_1h_tokens": written_1h,
        }
        # Some models leave a part of the output out of its count. The total shows it.
        output = _count(usage.get("totalTokens")) - _sum_of_prompt(totals)
        return _sum([{**totals, "output_tokens": max(_count(usage.get("outputTokens")), output)}])


@dataclass
class _OpenAIAnswer:
    """What one response of OpenAI's interfaces, and of those that imitate them, has stated so far."""

    id: str
    model: Optional[str] = None
    tier: Optional[str] = None
    usage: Optional[Json] = None
    choices: Dict[Any, Json] = field(default_factory=dict)
    """The usage that single choices state, by the choice's index."""
    zero: bool = False
    """Whether a usage of zeros was stated. While a stream goes on, that means nothing."""
    ended: bool = False
    medium: str = "text"
    web: Dict[str, None] = field(default_factory=dict)
    storage: Dict[str, None] = field(default_factory=dict)
    """Ids of the searches made."""
    listed: Tuple[int, int] = (0, 0)
    """How many searches of the two kinds the complete response lists."""
    image_tool: Optional[Tuple[str, Json]] = None
    """The model of the tool that makes images, and its usage."""
    text: Tuple[int, int] = (0, 0)

    def stated_usage(self) -> Optional[Json]:
        if self.usage is not None or not self.choices:
            return self.usage if self.usage is not None else ({} if self.zero and self.ended else None)
        all_of = list(self.choices.values())
        if len(all_of) == 1:
            return all_of[0]
        # Several choices share their prompt.
        return {
            "prompt_tokens": _largest(*(one.get("prompt_tokens") for one in all_of)),
            "completion_tokens": sum(_count(one.get("completion_tokens")) for one in all_of),
            "cached_tokens": _largest(*(one.get("cached_tokens") for one in all_of)),
        }


class _OpenAIFold(_Fold):
    """OpenAI's interfaces and those that imitate them: chats, responses, realtime, images, transcriptions, embeddings.

    A chat stream states its usage at its end, and OpenAI's only with stream_options={"include_usage": True}. Others state
    it in the last choice, under `x_groq`, or in every chunk. One stream may contain several responses: each is counted.
    """

    LAST_EVENT = re.compile(
        r"response\.(completed|incomplete|failed|cancelled|done)"
        r"|(image_\w+|transcript\.text|speech\.audio)\.(completed|done)"
    )

    def __init__(self, options: _Options) -> None:
        super().__init__(options)
        self._answers: List[_OpenAIAnswer] = []
        self._by_id: Dict[str, _OpenAIAnswer] = {}
        self._current: Optional[_OpenAIAnswer] = None
        self._session_model: Optional[str] = None
        """The model of a realtime session, which its responses do not name."""
        self._transcriber: Optional[str] = None
        self._memo: Optional[List[_Counted]] = None

    def add(self, event: Json) -> None:
        self._memo = None
        kind = event.get("type")
        self._add_session(_record(event.get("session")))
        transcribed = kind == "conversation.item.input_audio_transcription.completed"
        if transcribed and _states_usage(event.get("usage")):
            id = f"transcription {event.get('item_id')}"
            answer = self._by_id.get(id) or self._open_answer(id)
            answer.model = self.options.model or self._transcriber
            answer.ended, answer.usage = True, event["usage"]
            return
        inner = event.get("response")
        body = inner if isinstance(inner, dict) else event
        stated_id = body.get("id") if isinstance(inner, dict) or not isinstance(kind, str) else event.get("response_id")
        answer = self._answer_of(stated_id if isinstance(stated_id, str) else "", kind, body)
        self._current = answer
        self._add_to(answer, event, body)

    def _add_session(self, session: Json) -> None:
        input = _record(_record(session.get("audio")).get("input")).get("transcription")
        transcription = input if isinstance(input, dict) else _record(session.get("input_audio_transcription"))
        self._session_model = _name(session.get("model")) or self._session_model
        self._transcriber = _name(transcription.get("model")) or self._transcriber

    def _open_answer(self, id: str) -> _OpenAIAnswer:
        answer = _OpenAIAnswer(id)
        self._answers.append(answer)
        if id != "":
            self._by_id[id] = answer
        return answer

    def _answer_of(self, id: str, kind: object, body: Json) -> _OpenAIAnswer:
        """Finds the response that an event belongs to."""
        current = self._current
        if id in self._by_id:
            return self._by_id[id]
        if current is None:
            return self._open_answer(id)
        if isinstance(kind, str):
            is_next = (id != "" and current.id != "") or (current.ended and kind == "response.created")
        else:
            # Some servers give every chunk another id, or none. A chat is over after its last choice or its usage.
            usage_only = current.usage is None and not body.get("choices")
            has_content = any(isinstance(text, str) and text != "" for text in self._texts(body.get("choices")))
            is_next = current.ended and (has_content or (id != "" and not usage_only))
        if is_next:
            return self._open_answer(id)
        if current.id == "" and id != "":
            current.id = id
            self._by_id[id] = current
        return current

    def _add_to(self, answer: _OpenAIAnswer, event: Json, body: Json) -> None:
        kind = event.get("type")
        # Some servers leave the model empty in chunks that contain only content filters.
        answer.model = _name(body.get("model")) or answer.model
        stated = body.get("choices")
        choices = _records(stated) if isinstance(stated, list) else None
        own = body.get("usage")
        usage = _merge(_merge({}, _record(body.get("x_groq")).get("usage")), _first(own, event.get("usage")))
        if _states_usage(usage):
            answer.usage = _merge(answer.usage or {}, usage)
        elif isinstance(own, dict):
            answer.zero = True
        tier = _first(body.get("service_tier"), _record(own).get("service_tier"))
        if isinstance(tier, str):
            answer.tier = _service_tier(tier)
        for position, choice in enumerate(choices or []):
            if _states_usage(choice.get("usage")):
                index = choice.get("index", position)
                answer.choices[index] = _merge(answer.choices.get(index) or {}, choice["usage"])
            if choice.get("finish_reason") not in (None, ""):
                answer.ended = True
        # A chunk without choices that states the usage is the last one, and so is a complete response.
        if answer.stated_usage() is not None and kind is None and not choices:
            answer.ended = True
        if isinstance(kind, str):
            answer.ended = answer.ended or self.LAST_EVENT.fullmatch(kind) is not None
            media = {"image_": "image", "speech": "audio"}
            answer.medium = media.get(kind[:6], answer.medium)
        elif body is event and event.get("object") is None and isinstance(event.get("data"), list):
            answer.medium = "image"
        self._add_searches(answer, event, body)
        self._add_image_tool(answer, body)
        if self.options.estimate:
            answer.text = _add_length(answer.text, *self._texts(stated))
            # A summary of the reasoning is not what the model has generated.
            if isinstance(kind, str) and kind.endswith(".delta") and "summary" not in kind:
                answer.text = _add_length(answer.text, event.get("delta"))

    @staticmethod
    def _searched(item: Json) -> Optional[str]:
        """Returns what an item of a response searched. Opening a page, or finding text in it, is not a search."""
        if item.get("status") == "failed":
            return None
        if item.get("type") == "file_search_call":
            return "storage"
        if item.get("type") not in ("web_search_call", "x_search_call"):
            return None
        action = item.get("action")
        made = _first(action.get("type"), "search") if isinstance(action, dict) else "search"
        return "web" if made == "search" else None

    def _add_searches(self, answer: _OpenAIAnswer, event: Json, body: Json) -> None:
        item = event.get("item")
        if event.get("type") == "response.output_item.done" and isinstance(item, dict):
            found = {"web": answer.web, "storage": answer.storage}.get(self._searched(item) or "")
            if found is not None:
                found[str(_first(item.get("id"), event.get("output_index")))] = None
        output = body.get("output")
        if not isinstance(output, list):
            return
        listed: Dict[str, Dict[str, None]] = {"web": {}, "storage": {}}
        for position, call in enumerate(output):
            searched = self._searched(_record(call))
            if searched is not None:
                listed[searched][str(_first(call.get("id"), position))] = None
        web = len(listed["web"])
        if not any(_record(call).get("type") == "web_search_call" for call in output):
            web = _count(_record(_record(body.get("tool_usage")).get("web_search")).get("num_requests"))
        answer.listed = (web, len(listed["storage"]))

    @staticmethod
    def _add_image_tool(answer: _OpenAIAnswer, body: Json) -> None:
        """Responses state the usage of their image tool apart, and name its model only among the tools."""
        used = _record(body.get("tool_usage")).get("image_gen")
        if isinstance(used, dict) and _states_usage(used):
            tools = _records(body.get("tools"))
            model = next((tool.get("model") for tool in tools if tool.get("type") == "image_generation"), None)
            answer.image_tool = (_name(model) or "image_generation", used)

    @staticmethod
    def _texts(choices: object) -> List[object]:
        """Returns the pieces of text, reasoning and tool calls in the choices of a chunk."""
        texts: List[object] = []
        for choice in _records(choices):
            delta = choice.get("delta")
            if isinstance(delta, dict):
                reasoning = _first(delta.get("reasoning_content"), delta.get("reasoning"))
                texts += [delta.get("content"), reasoning, delta.get("refusal")]
                for call in _records(delta.get("tool_calls")):
                    texts += [_record(call.get("function")).get(name) for name in ("name", "arguments")]
        return texts

    def counted(self) -> List[_Counted]:
        if self._memo is None:
            self._memo = [one for answer in self._answers for one in self._counted_of(answer)]
        return self._memo

    def model(self) -> Optional[str]:
        return self.options.model or (self._current.model if self._current else None) or self._session_model

    def ended(self) -> bool:
        return self._current is not None and self._current.ended

    def stated(self) -> bool:
        return self._current is not None and self._current.stated_usage() is not None

    def estimated(self, prompt_tokens: int) -> List[_Counted]:
        last = self._current
        return [
            one
            for answer in self._answers
            for one in self._counted_of(answer, prompt_tokens if answer is last else None)
        ]

    def _counted_of(self, answer: _OpenAIAnswer, estimate: Optional[int] = None) -> List[_Counted]:
        model = self.options.model or answer.model or self._session_model
        tier = self.options.tier or answer.tier
        web, storage = max(len(answer.web), answer.listed[0]), max(len(answer.storage), answer.listed[1])
        usage = answer.stated_usage()
        counted = []
        if model is not None and (usage is not None or estimate is not None or web + storage > 0):
            totals, prompt = ({}, None) if usage is None else self._totals(usage, answer.medium)
            totals["web_searches"] = totals.get("web_searches") or web
            totals["storage_searches"] = totals.get("storage_searches") or storage
            if estimate is not None and usage is None:
                totals["input_tokens"] = prompt = estimate
                totals["output_tokens"] = _estimate(answer.text)
            counted.append(_Counted(model, _sum([totals]), tier, prompt))
        if answer.image_tool is not None:
            name, used = answer.image_tool
            counted.append(_Counted(name, *self._image_totals(used, tier)))
        return counted

    def _image_totals(self, usage: Json, tier: Optional[str]) -> Tuple[Totals, Optional[str], int]:
        totals, prompt = self._totals(usage, "image")
        return totals, tier, prompt

    @classmethod
    def _totals(cls, usage: Json, medium: str) -> Tuple[Totals, int]:
        """Converts a usage to disjoint kinds, and returns the whole prompt with it.

        OpenAI's prompt includes cache reads, cache writes, audio and images, and its completion includes reasoning, audio
        and images. Others use other names, or count some of this beside the prompt or the completion: their total shows
        which. `medium` is what output without details consists of.
        """
        names = ("prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details")
        asked = _first_record(usage, *names)
        names = ("completion_tokens_details", "output_tokens_details", "output_token_details", "completion_token_details")
        made = _first_record(usage, *names)
        cached = cls._cached(usage, asked)
        prompt, completion = cls._whole(usage, cached, _count(made.get("reasoning_tokens")))
        totals = _split_prompt(prompt, cached, cls._media(asked), cls._cached_media(asked))
        audio, image = cls._media(made)
        if audio + image + _count(made.get("text_tokens")) == 0:
            audio, image = completion if medium == "audio" else audio, completion if medium == "image" else image
        totals["output_tokens"] = max(0, completion - audio - image)
        totals["output_audio_tokens"], totals["output_image_tokens"] = audio, image
        totals["web_searches"], totals["storage_searches"] = cls._searches(usage)
        return _sum([totals]), prompt

    @staticmethod
    def _searches(usage: Json) -> Tuple[int, int]:
        """Returns the searches that a usage states, under the names of the various providers."""
        xai = _record(usage.get("server_side_tool_usage_details"))
        connectors = _record(usage.get("connectors"))
        web = _largest(
            _record(usage.get("server_tool_use")).get("web_search_requests"),
            _count(xai.get("web_search_calls")) + _count(xai.get("x_search_calls")),
            _count(connectors.get("web_search")) + _count(connectors.get("web_search_premium")),
            _record(_record(usage.get("plugins")).get("search")).get("count"),
            *map(usage.get, ("num_search_queries", "web_search_requests", "num_sources_used")),
        )
        files = ("file_search_calls", "document_search_calls", "collections_search_calls")
        return web, _largest(sum(_count(xai.get(name)) for name in files), connectors.get("document_library"))

    @staticmethod
    def _cached(usage: Json, details: Json) -> Tuple[int, int, int]:
        """Reads cache reads and writes from the places where providers state them."""
        read = _largest(
            *map(details.get, ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens")),
            *map(usage.get, ("cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens")),
            *map(usage.get, ("cache_read_input_tokens", "cache_read_tokens")),
        )
        lifetimes = _first_record({**usage, **details}, "cache_creation", "cache_creation_token_details")
        written_1h = _count(lifetimes.get("ephemeral_1h_input_tokens"))
        names = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens", "cached_creation_tokens")
        written = _largest(
            *map(details.get, names),
            *map(usage.get, ("cache_write_tokens", "cache_creation_input_tokens")),
            written_1h + _count(lifetimes.get("ephemeral_5m_input_tokens")),
        )
        return read, written, written_1h

    @staticmethod
    def _whole(usage: Json, cached: Tuple[int, int, int], reasoning: int) -> Tuple[int, int]:
        """Returns the whole prompt and the whole completion, if the total shows that they are larger than they say."""
        total = _count(usage.get("total_tokens"))
        completion = _number(_first(usage.get("completion_tokens"), usage.get("output_tokens"))) or 0
        stated = _number(_first(usage.get("prompt_tokens"), usage.get("input_tokens")))
        if stated is None:
            halves = _count(usage.get("prompt_cache_hit_tokens")) + _count(usage.get("prompt_cache_miss_tokens"))
            stated = halves or max(0, total - completion)
        prompt = stated
        # Reasoning that is larger than the completion cannot be a part of it.
        least = completion + reasoning if reasoning > completion else completion
        missing = total - prompt - completion
        if missing <= 0:
            return prompt, least
        read, written, _ = cached
        for beside in (_count(usage.get("connector_tokens")), read + written, read, written):
            # The cache, or what a tool read, is counted beside the prompt.
            if beside == 0 or missing == reasoning:
                continue
            if missing == beside:
                return prompt + beside, completion
            if reasoning > 0 and missing == beside + reasoning:
                return prompt + beside, completion + reasoning
        return prompt, max(least, completion + missing)

    @staticmethod
    def _media(details: Json) -> Tuple[int, int]:
        return _count(details.get("audio_tokens")), _count(details.get("image_tokens"))

    @staticmethod
    def _cached_media(details: Json) -> Optional[Tuple[int, int]]:
        """Returns the audio and images read from the cache, or None if they are not stated."""
        cached = _record(details.get("cached_tokens_details"))
        audio = _largest(cached.get("audio_tokens"), cached.get("cached_audio_tokens"), details.get("cached_audio_tokens"))
        image = _largest(cached.get("image_tokens"), cached.get("cached_image_tokens"), details.get("cached_image_tokens"))
        return None if audio + image == 0 and not cached else (audio, image)


# ---- HTTP ----


@dataclass
class _Answer:
    """A response of the ledger; status 0 means that there was none."""

    status: int
    body: Json
    retry_after: float = 0.0
    date: Optional[float] = None

    @property
    def transient(self) -> bool:
        return self.status in (0, 408, 425, 429) or self.status >= 500


class _Address:
    """Where the ledger is, and the proxy on the way to it, as the environment states it."""

    def __init__(self, url: str, ssl_context: Any = None) -> None:
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError(f"url must name a host, not {url!r}")
        self.host: str = parts.hostname
        self.port = parts.port
        self.path = parts.path.rstrip("/")
        self.is_secure = parts.scheme == "https"
        self.ssl_context = ssl_context
        if self.is_secure and ssl_context is None:
            import ssl  # A Python without it can still use http.

            self.ssl_context = ssl.create_default_context()
        netloc = parts.netloc.rpartition("@")[2]
        proxy = None if urllib.request.proxy_bypass(netloc) else urllib.request.getproxies().get(parts.scheme)
        self.proxy = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
        self.headers: Dict[str, str] = {}
        if self.proxy is not None and self.proxy.username:
            user = f"{unquote(self.proxy.username)}:{unquote(self.proxy.password or '')}"
            self.headers["Proxy-Authorization"] = "Basic " + binascii.b2a_base64(user.encode(), newline=False).decode()
        if self.proxy is not None and not self.is_secure:
            self.path = f"http://{netloc}{self.path}"

    def open(self, timeout: float) -> http.client.HTTPConnection:
        host = self.host if self.proxy is None else (self.proxy.hostname or "")
        port = self.port if self.proxy is None else self.proxy.port
        if not self.is_secure:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self.ssl_context)
        if self.proxy is not None:
            connection.set_tunnel(self.host, self.port, self.headers)
        return connection


class _Connection:
    """An HTTP connection that stays open between requests. One thread uses it at a time. It follows no redirect."""

    def __init__(self, address: _Address) -> None:
        self._address = address
        self._http: Optional[http.client.HTTPConnection] = None
        self._used_at = 0.0

    def send(
        self, method: str, path: str, content: Optional[bytes], headers: Dict[str, str], seconds: float
    ) -> _Answer:
        """Sends a request. Raises an exception if no response arrives in time."""
        if time.monotonic() - self._used_at > MAX_IDLE_SECONDS:
            self.close()
        was_open = self._http is not None and self._http.sock is not None
        try:
            return self._exchange(method, path, content, headers, seconds)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not was_open or isinstance(error, (TimeoutError, socket.timeout)):
                raise
        except BaseException:
            self.close()
            raise
        # The server had closed the connection. To send a report again is harmless.
        try:
            return self._exchange(method, path, content, headers, seconds)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def _exchange(
        self, method: str, path: str, content: Optional[bytes], headers: Dict[str, str], seconds: float
    ) -> _Answer:
        deadline = time.monotonic() + seconds
        if self._http is None:
            self._http = self._address.open(seconds)
        connection = self._http
        connection.response_class = functools.partial(_Response, deadline)  # type: ignore[assignment]
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        proxied = {} if self._address.is_secure else self._address.headers
        connection.request(method, self._address.path + path, content, {**headers, **proxied})
        response = connection.getresponse()
        text = response.read(MAX_BODY_BYTES)
        if not response.isclosed():
            raise http.client.HTTPException("the response is too long")
        self._used_at = time.monotonic()
        return _answer_of(response.status, response.headers, text)


class _Response(http.client.HTTPResponse):
    """A response whose every read ends at a deadline, even if its bytes arrive one by one."""

    def __init__(self, deadline: float, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach(), deadline))


class _DeadlineReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, raw: Any, deadline: float) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(remaining)
        read: Optional[int] = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _pause(failures: int, retry_after: float) -> float:
    """At least as long as the ledger asks for, plus a random part of a growing backoff."""
    backoff = min(MAX_BACKOFF_SECONDS, MIN_INTERVAL_SECONDS * (1 << min(failures - 1, 10)))
    return retry_after + random.random() * backoff


def _problem(answer: _Answer) -> Tuple[str, str]:
    code = answer.body.get("code") or "unexpected_answer"
    return str(code), str(answer.body.get("detail") or f"status {answer.status}")


def _answer_of(status: int, headers: Message, content: bytes) -> _Answer:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    date = _parse_date(headers.get("Date"))
    retry_after = _parse_retry_after(headers.get("Retry-After"), date or time.time())
    return _Answer(status, body if isinstance(body, dict) else {}, retry_after, date)


def _parse_date(header: Optional[str]) -> Optional[float]:
    try:
        return email.utils.parsedate_to_datetime(header or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _parse_retry_after(header: Optional[str], now: float) -> float:
    """Parses Retry-After, which is a number of seconds or a date by the server's clock."""
    try:
        seconds = float(header or 0)
    except ValueError:
        seconds = (_parse_date(header) or now) - now
    return min(MAX_RETRY_AFTER_SECONDS, max(0.0, seconds))


def _parse_time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
