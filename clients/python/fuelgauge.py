"""Reports what an AI agent uses to Fuelgauge, from Python 3.9 or newer, with the standard library alone.

Copy this file into your project. A background thread sends the reports, so counting never waits for the network, and no
failure of the ledger or of the network raises an exception in the agent. Totals are running totals: reports that are
lost, repeated or late change nothing. Version 0.1.0, Apache-2.0.

    with Fuelgauge(url, enterprise, key) as fuelgauge:
        with fuelgauge.start_run(surface="cli", workspace="web-shop", user="ada") as run:
            run.report("gpt-5", {"input_tokens": 1200, "output_tokens": 80})
            if run.should_stop: ...
"""

from __future__ import annotations

import atexit
import email.utils
import http.client
import json
import os
import queue
import random
import threading
import time
import urllib.error
import urllib.request
import uuid
import weakref
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.message import Message
from typing import Any, Callable, Mapping, Optional, Union
from urllib.parse import quote

__all__ = ["Finished", "Fuelgauge", "Run", "RunRefused"]
__version__ = "0.1.0"

MIN_INTERVAL_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 30.0
MAX_REPORT_AFTER_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 600.0
MAX_BATCH = 500
EXIT_SECONDS = 3.0
"""How long the end of the program waits for reports that are left, if the client was not closed."""

Usage = Mapping[str, int]
"""Quantities by kind: input_tokens, output_tokens, cache_read_tokens, … as in the HTTP interface."""

Json = dict[str, Any]

Trouble = Callable[[Json], None]

Key = Union[str, Callable[[], str]]


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
    """What came of a run. `delivered` is true only if the ledger accepted every final total in time."""

    delivered: bool
    charged_micros: Optional[int]
    unit: Optional[str]
    refused: list[Json] = field(default_factory=list)
    unpriced: list[str] = field(default_factory=list)


@dataclass
class _Meter:
    """One run's use of one model at one price tier. `version` counts changes, `acked` those that the ledger has."""

    run: "Run"
    model: str
    tier: str
    usage: dict[str, int] = field(default_factory=dict)
    final: bool = False
    estimated: bool = False
    version: int = 0
    acked: int = 0
    sent_at: float = float("-inf")
    refused: Optional[Json] = None
    priced: bool = True

    @property
    def settled(self) -> bool:
        return self.refused is not None or self.acked == self.version


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


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, because urllib would send the key to the new address."""

    def redirect_request(self, *_args: Any) -> None:
        return None


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
        on_trouble: Optional[Trouble] = None,
    ) -> None:
        """Makes a client. Raises ValueError if `url` or `enterprise` cannot be right.

        `key` has the scope `debit`; a function is called before each request and returns the current key.
        `start_without_ledger` admits runs while the ledger cannot be reached. `start_limit` is how many seconds `start_run`
        tries, and `timeout` is the limit of any other request. No run starts while `max_runs` runs have unreported usage.
        `on_trouble` receives a dict for logs, in any thread.
        """
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"url must begin with https:// or http://, not {url!r}")
        if not enterprise:
            raise ValueError("enterprise must not be empty")
        self._base = f"{url.rstrip('/')}/v1/enterprises/{quote(enterprise, safe='')}"
        self._key = key
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._timeout = timeout
        self._start_limit = start_limit
        self._open = start_without_ledger
        self._max_runs = max_runs
        self._on_trouble = on_trouble
        self._closed = False
        self._reset()
        _clients.add(self)

    def _reset(self) -> None:
        """Begins with an empty queue: at first, and in the child of a fork, which has neither the thread nor its locks."""
        self._changed: dict[int, _Meter] = {}
        self._wake = threading.Condition()
        self._thread: Optional[threading.Thread] = None
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
        on_action: Optional[Callable[[str, Optional[str]], None]] = None,
    ) -> "Run":
        """Asks whether a run may start. Waits at most `start_limit` seconds. Raises RunRefused if it may not.

        `on_action` is called with the action and its reason when these change, in the thread that sends the reports.
        """
        with self._wake:
            unreported = len({id(meter.run) for meter in self._changed.values()})
        if unreported >= self._max_runs:
            raise RunRefused("too_many_runs", f"{unreported} runs have unreported usage")
        asked: Json = {"run": run or str(uuid.uuid4()), "surface": surface, "workspace": workspace, "user": user}
        hold = {"hold_micros": hold_micros, "hold_ttl_seconds": hold_ttl_seconds}
        optional = {"group": group, "model": model, **hold}
        asked.update({name: value for name, value in optional.items() if value is not None})
        started = Run(self, asked, on_action)
        deadline = time.monotonic() + self._start_limit
        failures = 0
        while True:
            answer = self._call_within(max(0.05, deadline - time.monotonic()), "/runs", asked)
            if answer.status in (200, 201) and answer.body.get("admitted") is True:
                started._registered(answer)
                return started
            if not answer.transient:
                code, detail = _problem(answer)
                raise RunRefused(code, detail, answer.body)
            failures += 1
            pause = _pause(failures, answer.retry_after)
            if time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
        if not self._open:
            raise RunRefused("ledger_unreachable", _problem(answer)[1])
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

    def _mark(self, meter: _Meter) -> None:
        """Sends the meter soon. The caller holds the lock."""
        meter.version += 1
        # A refused meter is tried once more when it is final, because the price book may have changed by then.
        if meter.refused is not None and not meter.final:
            return
        meter.refused = None
        self._changed[id(meter)] = meter
        if self._closed:  # It is not sent, but it counts as unreported.
            return
        if self._thread is None:
            self._start_thread()
        if self._due_at(meter) < self._sleeps_until:
            self._wake.notify_all()

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
                    return
                now = time.monotonic()
                due = [meter for meter in self._changed.values() if self._due_at(meter) <= now][:MAX_BATCH]
                if not due:
                    self._sleeps_until = min(self._due_at(meter) for meter in self._changed.values())
                    self._wake.wait(max(0.001, self._sleeps_until - now))
                    continue
                self._sleeps_until = float("-inf")
            try:
                failed = self._deliver(due)
            except Exception as error:  # A bug in here must not end the reporting.
                failed = _Answer(0, {"detail": repr(error)})
            if failed is None:
                failures = 0
                continue
            failures += 1
            pause = _pause(failures, failed.retry_after)
            code, detail = _problem(failed)
            self._trouble({"kind": "unreachable", "status": failed.status, "code": code, "detail": detail, "pause": pause})
            with self._wake:
                self._wake.wait_for(lambda: self._closed, pause)

    @staticmethod
    def _due_at(meter: _Meter) -> float:
        # A final report is not delayed: nothing more is collected after it.
        interval = MIN_INTERVAL_SECONDS if meter.final else max(MIN_INTERVAL_SECONDS, meter.run._report_after)
        return meter.sent_at + interval

    def _deliver(self, due: list[_Meter]) -> Optional[_Answer]:
        """Sends one batch. Returns None if the ledger has processed every report, else the failed answer."""
        for run in {id(meter.run): meter.run for meter in due}.values():
            if run._started_at is None:
                failed = run._register()
                if failed is not None:
                    return failed
        with self._wake:
            snapshots = [(meter, meter.version, meter.run._report(meter)) for meter in due]
            for meter in due:
                meter.sent_at = time.monotonic()
        answer = self._call("/debits", {"reports": [report for _, _, report in snapshots]}, self._timeout)
        results = answer.body.get("results")
        if answer.status != 200 or not isinstance(results, list) or len(results) != len(snapshots):
            return answer if answer.status != 200 else _Answer(0, {"detail": "the response does not come from a ledger"})
        failed = None
        for (meter, version, report), result in zip(snapshots, results):
            status = result.get("status")
            if status is None:
                self._accept(meter, version, result)
            elif status == 429 or status >= 500:
                failed = _Answer(status, result)
            else:
                self._refuse(meter, version, report, result)
        return failed

    def _accept(self, meter: _Meter, version: int, result: Json) -> None:
        with self._wake:
            meter.acked = version
            meter.priced = result.get("priced") is not False
            if meter.settled:
                self._changed.pop(id(meter), None)
            meter.run._answer = result
            after = result.get("report_after_ms")
            if isinstance(after, (int, float)):
                meter.run._report_after = min(MAX_REPORT_AFTER_SECONDS, after / 1000)
            self._wake.notify_all()
        meter.run._act(result.get("action", "continue"), result.get("reason"))

    def _refuse(self, meter: _Meter, version: int, report: Json, result: Json) -> None:
        with self._wake:
            if meter.final and report.get("final") is not True:
                # It became final while this report was under way, so its final totals have not been sent yet.
                return
            meter.refused = result
            meter.acked = version
            self._changed.pop(id(meter), None)
            self._wake.notify_all()
        self._trouble({"kind": "report_refused", "run": report["run"], "model": report["model"], **result})

    def _trouble(self, trouble: Json) -> None:
        if self._on_trouble is None:
            return
        try:
            self._on_trouble(trouble)
        except Exception:
            pass  # A logger that fails must not stop the reporting.

    def _call_within(self, seconds: float, path: str, body: Json) -> _Answer:
        """Like `_call`, but the limit also holds for name servers, and for responses that arrive slowly."""
        answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        call = threading.Thread(target=lambda: answers.put(self._call(path, body, seconds)), daemon=True)
        try:
            call.start()
            return answers.get(timeout=seconds)
        except (queue.Empty, RuntimeError) as error:
            detail = f"no response within {seconds:.1f} s" if isinstance(error, queue.Empty) else repr(error)
            return _Answer(0, {"code": "ledger_unreachable", "detail": detail})

    def _call(self, path: str, body: Json, timeout: float) -> _Answer:
        """Sends one request. It never raises: without a response, the status is 0."""
        try:
            key = self._key() if callable(self._key) else self._key
            headers = {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                # Firewalls refuse the User-Agent of urllib more often than others.
                "User-Agent": f"fuelgauge-python/{__version__}",
            }
            request = urllib.request.Request(self._base + path, json.dumps(body).encode(), headers)
            with self._opener.open(request, timeout=timeout) as response:
                return _answer_of(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            try:
                return _answer_of(error.code, error.headers, error.read())
            except (OSError, http.client.HTTPException):
                return _Answer(error.code, {})
        except Exception as error:  # The network, or the function that returns the key.
            return _Answer(0, {"code": "ledger_unreachable", "detail": repr(error)})


_clients: weakref.WeakSet[Fuelgauge] = weakref.WeakSet()


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


class Run:
    """One execution of an agent. Made by `Fuelgauge.start_run`; finish it, or use it in a `with` statement."""

    def __init__(
        self,
        client: Fuelgauge,
        asked: Json,
        on_action: Optional[Callable[[str, Optional[str]], None]] = None,
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
        self._meters: dict[tuple[str, str], _Meter] = {}
        self._answer: Optional[Json] = None
        self._report_after = 0.0
        self._started_at: Optional[str] = None
        self._started_steady = time.monotonic()

    @property
    def should_stop(self) -> bool:
        return self.action == "stop"

    def report(self, model: str, usage: Usage, *, tier: str = "standard", estimated: bool = False) -> None:
        """Sets the running totals of everything that the run has used of this model so far, at one price tier.

        Use one name per model. Raises ValueError for a quantity that cannot be right, because it is a bug in the caller.
        """
        for kind, quantity in usage.items():
            if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 <= quantity <= 10**12:
                raise ValueError(f"{kind} must be an integer from 0 to 10^12, not {quantity!r}")
        with self._client._wake:
            meter = self._meter(model, tier)
            totals = {"input_tokens": 0, "output_tokens": 0, **usage}
            if meter.usage == totals and meter.estimated >= estimated:
                return
            meter.usage = totals
            meter.estimated = meter.estimated or estimated
            self._client._mark(meter)

    def finish(self, timeout: float = 30.0) -> Finished:
        """Closes all meters with their last totals. Waits at most `timeout` seconds; reports go on after that."""
        with self._client._wake:
            for meter in self._meters.values():
                if not meter.final:
                    meter.final = True
                    self._client._mark(meter)
        settled = self._client._wait(lambda: all(meter.settled for meter in self._meters.values()), timeout)
        with self._client._wake:
            meters = list(self._meters.values())
            answer = self._answer or {}
        refused = [{"model": meter.model, "tier": meter.tier, **meter.refused} for meter in meters if meter.refused]
        unpriced = [meter.model for meter in meters if not meter.priced]
        delivered = settled and not refused
        return Finished(delivered, answer.get("run_total_micros"), answer.get("unit"), refused, unpriced)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_error: object) -> None:
        self.finish()

    def _meter(self, model: str, tier: str) -> _Meter:
        key = (model, tier)
        if key not in self._meters:
            self._meters[key] = _Meter(self, model, tier)
        return self._meters[key]

    def _report(self, meter: _Meter) -> Json:
        place: Json = {name: self._asked[name] for name in ("surface", "workspace", "user", "group") if name in self._asked}
        report: Json = {"run": self.id, "model": meter.model, "usage": dict(meter.usage), **place}
        report["started_at"] = self._started_at
        # Fields with their usual values are left out, so that earlier versions of the ledger accept the report.
        if meter.tier != "standard":
            report["tier"] = meter.tier
        if meter.final:
            report["final"] = True
        if meter.estimated:
            report["estimated"] = True
        return report

    def _register(self) -> Optional[_Answer]:
        """Registers a run that started without the ledger. Returns None once it may report."""
        answer = self._client._call("/runs", self._asked, self._client._timeout)
        suspended = answer.body.get("code") == "enterprise_suspended"
        if answer.transient or answer.status in (401, 404) or (answer.status == 403 and not suspended):
            return answer
        if answer.status in (200, 201) and answer.body.get("admitted") is not True:
            return _Answer(0, {"detail": "the response does not come from a ledger"})
        self._registered(answer)
        if answer.status not in (200, 201):
            self._act("stop", answer.body.get("code"))
        return None

    def _registered(self, answer: _Answer) -> None:
        """Takes the run's start by the ledger's clock, because the clock of an agent's machine may be wrong."""
        self.hold, self.gauge = answer.body.get("hold"), answer.body.get("gauge")
        as_of = (self.gauge or {}).get("as_of")
        now = _parse_time(as_of) if as_of else (answer.date or time.time())
        started = now - (time.monotonic() - self._started_steady)
        self._started_at = datetime.fromtimestamp(started, timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"

    def _act(self, action: str, reason: Optional[str]) -> None:
        if (action, reason) == (self.action, self.reason):
            return
        self.action, self.reason = action, reason
        if self._on_action is not None:
            try:
                self._on_action(action, reason)
            except Exception as error:
                self._client._trouble({"kind": "listener_failed", "run": self.id, "detail": repr(error)})


def _pause(failures: int, retry_after: float) -> float:
    """At least as long as the ledger asks for, plus a random part of a growing backoff."""
    backoff = min(MAX_BACKOFF_SECONDS, MIN_INTERVAL_SECONDS * (1 << min(failures - 1, 10)))
    return retry_after + random.random() * backoff


def _problem(answer: _Answer) -> tuple[str, str]:
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
