"""The Python client in one process, next to a ledger that each test scripts. python.test.ts runs this file.

The ledger here only repeats the shapes of the real one; the other tests of the client use the real Worker.
"""

import contextlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock
import uuid

from fuelgauge import Fuelgauge, Run, RunRefused

WHO = {"surface": "cli", "workspace": "w1", "user": "u1"}
STARTED = {"admitted": True, "hold": None, "gauge": {"as_of": "2026-01-01T00:00:00.000Z"}}


def reply_of(path, body):
    """What the real ledger answers, as far as the client reads it."""
    if path.endswith("/runs"):
        return {"run": body["run"], **STARTED}
    if path.startswith("/v1/price-book/models/"):
        return {"tiers": {"above_100": {"above_input_tokens": 100}} if path.endswith("/long") else {}}
    if path.endswith("/hold"):
        return {}
    answer = {"action": "continue", "reason": None, "unit": "credits", "run_total_micros": 1, "priced": True}
    return {"results": [{**report, **answer} for report in body["reports"]]}


class ScriptedLedger:
    """An HTTP server that remembers what it received. `answer` may return (status, headers, body) instead of the usual."""

    def __init__(self, answer=lambda path, body, count: None):
        self.received = []
        self.connections = set()
        ledger = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(content) if content else {}
                ledger.received.append(
                    {"method": self.command, "path": self.path, "key": self.headers.get("Authorization"), "body": body}
                )
                ledger.connections.add(self.client_address)
                scripted = answer(self.path, body, len(ledger.received))
                usual = 201 if self.path.endswith("/runs") else 200
                status, headers, reply = scripted or (usual, {}, reply_of(self.path, body))
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                text = json.dumps(reply).encode()
                if "Transfer-Encoding" not in headers:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if "Transfer-Encoding" not in headers:
                    return self.wfile.write(text)
                with contextlib.suppress(OSError):
                    for _ in range(600):  # An answer that arrives byte by byte, and never ends.
                        self.wfile.write(b"1\r\n \r\n")
                        time.sleep(0.1)

            protocol_version = "HTTP/1.1"
            do_GET = do_DELETE = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def totals(self, run):
        """The output tokens of each report of a run, in the order of arrival."""
        reports = [one for request in self.received for one in request["body"].get("reports", [])]
        return [one["usage"]["output_tokens"] for one in reports if one["run"] == run]


@contextlib.contextmanager
def scripted(answer=lambda path, body, count: None):
    ledger = ScriptedLedger(answer)
    try:
        yield ledger
    finally:
        ledger.server.shutdown()
        ledger.server.server_close()


def usage(tokens):
    return {"input_tokens": 0, "output_tokens": tokens}


def run_program(program, url):
    """Runs a program in a new process, because it forks or ends without closing its client."""
    head = "import os, sys\nfrom fuelgauge import Fuelgauge\n"
    head += f"WHO = {WHO!r}\nfuelgauge = Fuelgauge({url!r}, 'acme', 'key')\n"
    done = subprocess.run([sys.executable, "-c", head + program], capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class Setup(unittest.TestCase):
    def test_refuses_an_address_that_cannot_be_right(self):
        for url in ("", "fuelgauge.example.com", "file:///etc/hosts"):
            with self.assertRaisesRegex(ValueError, "url must begin with https:// or http://"):
                Fuelgauge(url, "acme", "key")
        with self.assertRaisesRegex(ValueError, "url must begin with"):
            Fuelgauge(os.environ.get("NO_SUCH_VARIABLE"), "acme", "key")
        with self.assertRaisesRegex(ValueError, "enterprise must not be empty"):
            Fuelgauge("https://fuelgauge.example.com", "", "key")
        for key in ("", None):
            with self.assertRaisesRegex(ValueError, "key must not be empty"):
                Fuelgauge("https://fuelgauge.example.com", "acme", key)

    def test_loads_certificates_before_any_run_starts_and_never_again(self):
        # It takes 20 ms, in which Python 3.9 lets no other thread run.
        with unittest.mock.patch("ssl.create_default_context", wraps=ssl.create_default_context) as load:
            client = Fuelgauge("https://127.0.0.1:9", "acme", "key", start_without_ledger=True, start_limit=0.3)
            run = client.start_run("r1", **WHO)
            run.report("gpt-5", usage(1))
            client.flush(0.3)
            client.close(0)
            self.assertEqual(load.call_count, 1)

    def test_asks_for_the_key_before_each_request(self):
        keys = iter(["first", "second", "third", "fourth"])
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", lambda: next(keys)) as client:
            run = client.start_run("r1", **WHO)
            run.report("gpt-5", usage(1))
            self.assertTrue(run.finish(60).delivered)
            self.assertEqual([one["key"] for one in ledger.received][:2], ["Bearer first", "Bearer second"])

    def test_treats_a_key_function_that_fails_as_an_outage(self):
        def no_key():
            raise RuntimeError("the vault is sealed")

        with self.assertRaises(RunRefused) as refused:
            Fuelgauge("http://127.0.0.1:9", "acme", no_key, start_limit=0.2).start_run(**WHO)
        self.assertEqual(refused.exception.code, "ledger_unreachable")
        self.assertIn("the vault is sealed", refused.exception.detail)

    def test_passes_the_lifetime_of_a_hold(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            client.start_run("r1", **WHO, hold_micros=5, hold_ttl_seconds=60)
            asked = ledger.received[0]["body"]
            self.assertEqual((asked["hold_micros"], asked["hold_ttl_seconds"]), (5, 60))


class Network(unittest.TestCase):
    def test_never_follows_a_redirect_with_the_key(self):
        with scripted() as other:
            redirect = {"Location": f"{other.url}/elsewhere"}
            with scripted(lambda *_: (302, redirect, {})) as ledger:
                with self.assertRaises(RunRefused) as refused:
                    Fuelgauge(ledger.url, "acme", "key").start_run(**WHO)
            self.assertEqual(other.received, [])
            self.assertIn("302", refused.exception.detail)

    def test_reads_an_answer_whose_headers_are_wrong(self):
        wrong = {"Date": "yesterday", "Retry-After": "soon"}

        def answer(_path, _body, count):
            return (503, wrong, {"code": "ledger_busy"}) if count == 1 else None

        with scripted(answer) as ledger:
            Fuelgauge(ledger.url, "acme", "key").start_run(**WHO)
            self.assertEqual(len(ledger.received), 2)

    def test_decides_in_time_although_the_answer_arrives_byte_by_byte(self):
        def drip(handler):
            with contextlib.suppress(OSError):
                handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
                for _ in range(600):
                    handler.wfile.write(b" ")
                    time.sleep(0.1)

        class Slow(http.server.BaseHTTPRequestHandler):
            do_POST = drip
            log_message = lambda *_: None  # noqa: E731: the base class writes to stderr

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        began = time.monotonic()
        with self.assertRaises(RunRefused):
            Fuelgauge(f"http://127.0.0.1:{server.server_port}", "acme", "key", start_limit=0.5).start_run(**WHO)
        self.assertLess(time.monotonic() - began, 30)
        server.shutdown()
        server.server_close()

    def test_limits_how_many_runs_may_have_unreported_usage(self):
        client = Fuelgauge("http://127.0.0.1:9", "acme", "key", start_without_ledger=True, start_limit=0.01, max_runs=3)
        for _ in range(3):
            client.start_run(**WHO).report("gpt-5", usage(1))
        with self.assertRaises(RunRefused) as refused:
            client.start_run(**WHO)
        self.assertEqual(refused.exception.code, "too_many_runs")
        client.close(0)


    def test_asks_runs_to_stop_while_too_much_is_unreported(self):
        down = threading.Event()

        def answer(path, _body, _count):
            return (503, {}, {"code": "ledger_busy"}) if down.is_set() and path.endswith("/debits") else None

        with scripted(answer) as ledger:
            client = Fuelgauge(ledger.url, "acme", "key", max_unreported=100, on_trouble=lambda _: None)
            stopped = threading.Event()
            run = client.start_run("r1", **WHO, on_action=lambda action, reason: stopped.set())
            run.report("gpt-5", usage(1_000))
            self.assertTrue(client.flush(60))
            down.set()
            run.report("gpt-5", usage(1_100))
            time.sleep(1)
            self.assertFalse(run.should_stop)
            run.report("gpt-5", usage(1_101))
            self.assertTrue(stopped.wait(60))
            self.assertEqual((run.action, run.reason), ("stop", "ledger_unreachable"))
            down.clear()
            self.assertTrue(run.finish(60).delivered)
            self.assertEqual(run.action, "continue")
            client.close()

    def test_sends_its_reports_over_one_connection(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            run = client.start_run("r1", **WHO)
            for tokens in range(1, 5):
                run.report("gpt-5", usage(tokens))
                self.assertTrue(client.flush(60))
            # One for the start, which waits in the agent's thread, and one for all reports.
            self.assertEqual(len(ledger.connections), 2)

    def test_sends_again_without_a_pause_when_the_server_has_closed_the_connection(self):
        troubles = []
        with scripted() as ledger:
            client = Fuelgauge(ledger.url, "acme", "key", on_trouble=troubles.append)
            run = client.start_run("r1", **WHO)
            for tokens in range(1, 5):
                run.report("gpt-5", usage(tokens))
                self.assertTrue(client.flush(60))
                with client._wake:
                    client._connection._http.sock.shutdown(2)
            client.close()
            self.assertEqual((ledger.totals("r1"), troubles), ([1, 2, 3, 4], []))

    def test_reports_again_after_an_answer_that_never_ends(self):
        endless = threading.Event()

        def answer(path, _body, count):
            if path.endswith("/debits") and not endless.is_set():
                endless.set()
                return 200, {"Transfer-Encoding": "chunked"}, "endless"

        with scripted(answer) as ledger:
            client = Fuelgauge(ledger.url, "acme", "key", timeout=0.3)
            run = client.start_run("r1", **WHO)
            run.report("gpt-5", usage(1))
            self.assertTrue(run.finish(60).delivered)
            client.close()

    def test_keeps_a_key_with_a_line_break_out_of_its_logs(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "secret\n") as client:
            client.start_run("r1", **WHO)
            self.assertEqual(ledger.received[0]["key"], "Bearer secret")
            for key in ("secret\nmore", "secret\u2026"):
                with self.assertRaises(RunRefused) as refused:
                    Fuelgauge(ledger.url, "acme", key, start_limit=0.1).start_run("r2", **WHO)
                self.assertNotIn("secret", str(refused.exception))

    def test_releases_the_hold_of_a_run_that_used_nothing(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            with client.start_run("a/b", **WHO, hold_micros=5):
                pass
            last = ledger.received[-1]
            self.assertEqual((last["method"], last["path"]), ("DELETE", "/v1/enterprises/acme/runs/a%2Fb/hold"))

    def test_goes_through_the_proxy_of_the_environment(self):
        with scripted() as proxy:
            before = os.environ.get("http_proxy")
            os.environ["http_proxy"] = proxy.url.replace("http://", "http://ada:s%40cret@")
            try:
                client = Fuelgauge("http://ledger.example/base/", "acme", "key")
            finally:
                os.environ.pop("http_proxy")
                if before is not None:
                    os.environ["http_proxy"] = before
            client.start_run("r1", **WHO)
            client.close()
            self.assertEqual(proxy.received[0]["path"], "http://ledger.example/base/v1/enterprises/acme/runs")

    def test_lets_nobody_wait_after_close(self):
        with scripted(lambda path, *_: (503, {}, {}) if path.endswith("/debits") else None) as ledger:
            client = Fuelgauge(ledger.url, "acme", "key")
            run = client.start_run("r1", **WHO)
            run.report("gpt-5", usage(1))
            self.assertFalse(client.close(0))
            began = time.monotonic()
            self.assertEqual((run.finish().delivered, client.flush()), (False, False))
            self.assertLess(time.monotonic() - began, 5)

    def test_says_that_usage_reported_after_close_was_not_sent(self):
        with scripted(lambda *_: None) as ledger:
            client = Fuelgauge(ledger.url, "acme", "key")
            run = client.start_run("r1", **WHO)
            self.assertTrue(client.close())
            run.report("gpt-5", usage(1))
            self.assertFalse(client.flush())


    def test_starts_no_run_after_close(self):
        with scripted() as ledger:
            client = Fuelgauge(ledger.url, "acme", "key")
            client.close()
            with self.assertRaises(RunRefused) as refused:
                client.start_run("r1", **WHO)
            self.assertEqual((refused.exception.code, ledger.received), ("client_closed", []))


class Agents(unittest.TestCase):
    """Nothing that an agent does wrong may raise an exception into it, or stop the reporting."""

    def test_never_raises_for_a_usage_that_cannot_be_right_and_reports_it_once(self):
        cases = [
            ({"outputTokens": 7}, "outputTokens is not a kind of usage: it is named output_tokens"),
            ({"prompt_tokens": 7}, "prompt_tokens is not a kind of usage"),
            ({"output_tokens": -1}, "output_tokens must be an integer from 0 to 10^12, not -1"),
            ({"output_tokens": 1.5}, "output_tokens must be an integer from 0 to 10^12, not 1.5"),
            ({"output_tokens": "7"}, "output_tokens must be an integer from 0 to 10^12, not '7'"),
            ({"output_tokens": True}, "output_tokens must be an integer from 0 to 10^12, not True"),
            ({"output_tokens": float("nan")}, "output_tokens must be an integer from 0 to 10^12, not nan"),
            ({"output_tokens": 10**13}, "output_tokens must be an integer from 0 to 10^12, not 10000000000000"),
            (None, "a usage must be a mapping, not None"),
        ]
        troubles = []
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key", on_trouble=troubles.append) as client:
            for number, (wrong, detail) in enumerate(cases):
                run = client.start_run(f"r{number}", **WHO)
                run.report("gpt-5", {"input_tokens": 4, "output_tokens": 3})
                for _ in range(3):
                    run.report("gpt-5", wrong)
                finished = run.finish(60)
                self.assertFalse(finished.delivered)
                self.assertEqual([(one["code"], one["detail"]) for one in finished.refused], [("invalid_usage", detail)])
                self.assertEqual([one["detail"] for one in troubles if one["run"] == run.id], [detail])
                # What was counted before is not lost.
                self.assertEqual(ledger.totals(run.id)[-1], 3)

    def test_calls_a_listener_without_a_lock_that_other_threads_of_the_agent_need(self):
        reported = []

        def note(_trouble):
            other = threading.Thread(target=lambda: reported.append(run.report("gpt-5", usage(1))))
            other.start()
            other.join(60)

        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key", on_trouble=note) as client:
            run = client.start_run("r1", **WHO)
            call = run.call()
            call.update("gpt-5", {"outputTokens": 1})
            self.assertEqual(len(reported), 1)
            run.report("gpt-5", {"outputTokens": 1})
            self.assertEqual(len(reported), 2)

    def test_names_a_bounded_number_of_wrong_usages(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key", on_trouble=lambda _: None) as client:
            run = client.start_run("r1", **WHO)
            for _ in range(150):
                with run.call() as call:
                    call.update("gpt-5", {"input_tokens": 1, "output_tokens": -1})
            self.assertEqual(len(run.finish(60).refused), 100)

    def test_knows_the_action_of_every_report_that_it_has_waited_for(self):
        def answer(path, body, _count):
            if path.endswith("/debits"):
                return 200, {}, {"results": [{**one, "action": "stop", "reason": "x"} for one in body["reports"]]}

        act = Run._act
        with unittest.mock.patch.object(Run, "_act", lambda *args: (time.sleep(0.1), act(*args))):
            with scripted(answer) as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
                run = client.start_run("r1", **WHO)
                run.report("gpt-5", usage(1))
                self.assertTrue(run.finish(60).delivered)
                self.assertTrue(run.should_stop)

    def test_reports_other_runs_although_the_ids_of_one_are_no_text(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            odd = client.start_run(uuid.UUID(int=7), **{**WHO, "user": uuid.UUID(int=9)})
            odd.report("gpt-5", usage(1))
            run = client.start_run("r1", **WHO)
            run.report("gpt-5", usage(1))
            self.assertTrue(run.finish(60).delivered)
            self.assertEqual(ledger.received[0]["body"]["user"], str(uuid.UUID(int=9)))

    def test_forgets_a_wrong_usage_once_later_totals_are_right(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key", on_trouble=lambda _: None) as client:
            run = client.start_run("r1", **WHO)
            run.report("gpt-5", {"output_tokens": -1})
            run.report("gpt-5", {"output_tokens": 9.0, "cache_read_tokens": None})
            self.assertTrue(run.finish(60).delivered)
            self.assertEqual(ledger.totals("r1")[-1], 9)

    def test_goes_on_reporting_when_a_listener_or_a_logger_exits(self):
        def leave(*_):
            raise SystemExit

        def answer(path, body, _count):
            if path.endswith("/debits"):
                return 200, {}, {"results": [{**one, "action": "stop", "reason": "x"} for one in body["reports"]]}

        with scripted(answer) as ledger, Fuelgauge(ledger.url, "acme", "key", on_trouble=leave) as client:
            run = client.start_run("r1", **WHO, on_action=leave)
            run.report("gpt-5", usage(1))
            self.assertTrue(client.flush(60))
            run.report("gpt-5", usage(2))
            self.assertTrue(run.finish(60).delivered)
            self.assertTrue(run.should_stop)

    def test_logs_a_refused_report_unless_it_is_given_a_callback(self):
        refusal = {"status": 422, "code": "charge_too_large", "detail": "too large"}

        def answer(path, body, _count):
            return (200, {}, {"results": [refusal for _ in body["reports"]]}) if path.endswith("/debits") else None

        with scripted(answer) as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            with self.assertLogs("fuelgauge", "WARNING") as logs:
                run = client.start_run("r1", **WHO)
                run.report("gpt-5", usage(1))
                self.assertEqual(run.finish(60).refused[0]["code"], "charge_too_large")
            self.assertIn("charge_too_large", logs.output[0])

    def test_continues_a_run_with_its_saved_totals(self):
        kept = []
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            run = client.start_run("r1", **WHO, keep=lambda totals: kept.append(totals))
            run.report("gpt-5", usage(5))
            run.report("gpt-5", usage(2), tier="batch")
            self.assertTrue(client.flush(60))
            self.assertEqual(kept[-1], {"gpt-5": usage(5), "gpt-5 batch": usage(2)})
            again = client.start_run("r1", **WHO, totals=kept[-1])
            call = again.call()
            call.update("gpt-5", usage(3))
            call.end()
            self.assertTrue(again.finish(60).delivered)
            self.assertEqual(sorted(ledger.totals("r1")[-2:]), [2, 8])


class Processes(unittest.TestCase):
    def test_sends_what_is_left_when_the_program_ends_without_closing(self):
        program = """
run = fuelgauge.start_run("r1", **WHO)
for tokens in range(1, 500): run.report("gpt-5", {"input_tokens": 0, "output_tokens": tokens})
"""
        with scripted() as ledger:
            run_program(program, ledger.url)
            self.assertEqual(ledger.totals("r1")[-1], 499)

    def test_an_outage_holds_up_the_end_of_a_program_for_a_limited_time(self):
        program = """
run = fuelgauge.start_run("r1", **WHO)
run.report("gpt-5", {"input_tokens": 0, "output_tokens": 1})
sys.modules["fuelgauge"].EXIT_SECONDS = 0.5
"""
        with scripted(lambda path, *_: (503, {}, {}) if path.endswith("/debits") else None) as ledger:
            began = time.monotonic()
            run_program(program, ledger.url)
            self.assertLess(time.monotonic() - began, 60)

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork")
    def test_reports_from_a_process_that_was_forked_after_the_client_had_sent(self):
        program = """
before = fuelgauge.start_run("parent", **WHO)
before.report("gpt-5", {"input_tokens": 0, "output_tokens": 1})
fuelgauge.flush()
before.report("gpt-5", {"input_tokens": 0, "output_tokens": 2})
child = os.fork()
if child == 0:
    run = fuelgauge.start_run("child", **WHO)
    run.report("gpt-5", {"input_tokens": 0, "output_tokens": 7})
    os._exit(0 if run.finish(60).delivered else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert before.finish(60).delivered
"""
        with scripted() as ledger:
            run_program(program, ledger.url)
            self.assertEqual(ledger.totals("child")[-1], 7)
            self.assertEqual(ledger.totals("parent")[-1], 2)

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork")
    def test_a_fork_while_another_thread_reports_does_not_block_the_child(self):
        program = """
import threading
run = fuelgauge.start_run("r1", **WHO)
def count():
    tokens = 0
    while True:
        tokens += 1
        run.report("gpt-5", {"input_tokens": 0, "output_tokens": tokens})
for _ in range(2): threading.Thread(target=count, daemon=True).start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(60)
        run.report("gpt-4", {"input_tokens": 0, "output_tokens": 1})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""
        with scripted() as ledger:
            run_program(program, ledger.url)


class ManyThreads(unittest.TestCase):
    def test_counts_from_many_threads_at_once(self):
        with scripted() as ledger, Fuelgauge(ledger.url, "acme", "key") as client:
            runs = [client.start_run(f"r{number}", **WHO) for number in range(16)]

            def stream(run):
                for tokens in range(1, 200):
                    run.report("gpt-5", usage(tokens))
                run.finish()

            threads = [threading.Thread(target=stream, args=(run,)) for run in runs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([ledger.totals(run.id)[-1] for run in runs], [199] * 16)

    def test_a_report_costs_no_more_when_many_other_runs_wait(self):
        slow = {"model": "gpt-5", "action": "continue", "run_total_micros": 1, "report_after_ms": 60_000}

        def answer(path, body, _count):
            return None if path.endswith("/runs") else (200, {}, {"results": [slow for _ in body["reports"]]})

        looks = []
        with scripted(answer) as ledger:
            client = Fuelgauge(ledger.url, "acme", "key")
            runs = [client.start_run(f"r{number}", **WHO) for number in range(100)]
            for tokens in (1, 2):
                for run in runs:
                    run.report("gpt-5", usage(tokens))
                client.flush(60 if tokens == 1 else 0)

            class Watched(dict):
                def values(self):
                    looks.append(len(self))
                    return super().values()

            with client._wake:
                client._changed = Watched(client._changed)
            for tokens in range(3, 1003):
                runs[0].report("gpt-5", usage(tokens))
                time.sleep(0.0001)
            # A report that woke the thread would make it look at all meters.
            self.assertLess(len(looks), 100)
            client.close(0)


if __name__ == "__main__":
    unittest.main()
