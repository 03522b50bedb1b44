"""Metered streams of the Python client: every way in which a stream ends, price tiers, and several names of one model.

usage-agreement.test.ts checks what each provider's usage means.
"""

import asyncio
import unittest

from fuelgauge import Fuelgauge
from test_fuelgauge import WHO, scripted, usage


def chat(tokens=None, model="gpt-5", text="Hi", prompt=10):
    """A chunk of a chat. The last one states the usage."""
    if tokens is None:
        return {"id": "c", "model": model, "choices": [{"index": 0, "delta": {"content": text}}]}
    counts = {"prompt_tokens": prompt, "completion_tokens": tokens}
    return {"id": "c", "model": model, "choices": [], "usage": counts}


STARTED = {
    "type": "message_start",
    "message": {"id": "m1", "model": "claude-sonnet-4-6", "usage": {"input_tokens": 25, "output_tokens": 1}},
}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}


class MeteredCase(unittest.TestCase):
    def setUp(self):
        self.troubles = []
        context = scripted(lambda path, body, count: self.answer(path, body, count))
        self.ledger = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.client = Fuelgauge(self.ledger.url, "acme", "key", on_trouble=self.troubles.append)
        self.addCleanup(self.client.close)
        self.run_ = self.client.start_run("r1", **WHO)

    def answer(self, path, body, count):
        return None

    def counted(self):
        """The final usage by model and tier, and why calls were not counted."""
        finished = self.run_.finish(60)
        self.assertTrue(finished.delivered)
        reports = [one for request in self.ledger.received for one in request["body"].get("reports", [])]
        finals = {(one["model"], one.get("tier")): one["usage"] for one in reports if one.get("final")}
        return finals, [one["reason"] for one in finished.not_counted]


class Streams(MeteredCase):
    def test_passes_the_events_of_a_stream_through_and_counts_them(self):
        events = [chat(), chat(), chat(7)]
        self.assertEqual(list(self.run_.meter(iter(events))), events)
        self.assertEqual(self.counted(), ({("gpt-5", None): {"input_tokens": 10, "output_tokens": 7}}, []))

    def test_meters_an_asynchronous_stream(self):
        async def stream():
            for event in (STARTED, ENDED):
                yield event

        async def read():
            return [event["type"] async for event in self.run_.meter(stream())]

        self.assertEqual(asyncio.run(read()), ["message_start", "message_delta"])
        self.assertEqual(self.counted(), ({("claude-sonnet-4-6", None): {"input_tokens": 25, "output_tokens": 15}}, []))

    def test_adds_up_calls_and_complete_responses(self):
        list(self.run_.meter(iter([chat(7)])))
        response = {"object": "chat.completion", "model": "gpt-5", "choices": [{}], "usage": chat(5)["usage"]}
        self.assertIs(self.run_.record(response), response)
        with self.run_.call() as call:
            call.update("gpt-5", usage(2))
        self.run_.report("gpt-5", usage(100))
        self.assertEqual(self.counted(), ({("gpt-5", None): {"input_tokens": 20, "output_tokens": 114}}, []))

    def test_counts_what_was_stated_when_the_reader_leaves(self):
        for _event in self.run_.meter(iter([STARTED, ENDED])):
            break
        counted, reasons = self.counted()
        self.assertEqual(counted[("claude-sonnet-4-6", None)], {"input_tokens": 25, "output_tokens": 1})
        self.assertEqual(reasons, ["left_early"])
        self.assertEqual([one["kind"] for one in self.troubles], ["partial_usage"])

    def test_raises_the_error_of_the_stream_itself_and_counts_what_was_stated(self):
        def stream():
            yield STARTED
            raise ConnectionError("reset by peer")

        with self.assertRaisesRegex(ConnectionError, "reset by peer"):
            list(self.run_.meter(stream()))
        counted, reasons = self.counted()
        self.assertEqual((counted[("claude-sonnet-4-6", None)]["input_tokens"], reasons), (25, ["failed"]))

    def test_counts_an_asynchronous_stream_that_is_cancelled(self):
        async def stream():
            yield STARTED
            await asyncio.sleep(60)

        async def read():
            async for _event in self.run_.meter(stream()):
                pass

        async def cancel():
            task = asyncio.create_task(read())
            await asyncio.sleep(0.05)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        counted, reasons = self.counted()
        self.assertEqual((counted[("claude-sonnet-4-6", None)]["input_tokens"], reasons), (25, ["aborted"]))

    def test_says_why_a_stream_is_not_counted(self):
        for events, reason in (
            ([chat()], "cut_off"),
            ([{**chat(), "choices": [{"index": 0, "finish_reason": "stop"}]}], "not_stated"),
            ([{"messageStart": {"role": "assistant"}}, {"metadata": {"usage": {"inputTokens": 3}}}], "no_model"),
            (["an event of nobody", 7, None], "not_stated"),
        ):
            self.assertEqual(list(self.run_.meter(iter(events))), events)
            self.assertEqual(self.run_._not_counted[-1]["reason"], reason, events)
        self.assertEqual([one["kind"] for one in self.troubles], ["no_usage"] * 4)

    def test_never_raises_for_events_that_cannot_be_read(self):
        class Broken(dict):
            def items(self):
                raise RuntimeError("broken")

        events = [STARTED, {"type": "message_delta", "usage": Broken()}, Broken(type="message_delta"), ENDED]
        self.assertEqual(list(self.run_.meter(iter(events))), events)
        counted, reasons = self.counted()
        self.assertEqual((counted[("claude-sonnet-4-6", None)]["output_tokens"], reasons), (15, ["adapter_failed"]))

    def test_estimates_a_stream_that_is_cut_off_only_if_it_is_asked_to(self):
        list(self.run_.meter(iter([chat(text="x" * 40), chat(text="ä")]), estimate=True, prompt=[{"content": "y" * 8}]))
        counted, reasons = self.counted()
        self.assertEqual((counted, reasons), ({("gpt-5", None): {"input_tokens": 2, "output_tokens": 11}}, []))
        report = self.ledger.received[-1]["body"]["reports"][0]
        self.assertTrue(report["estimated"])

    def test_reports_each_call_under_its_price_tier_and_asks_for_the_tiers_once(self):
        for prompt in (100, 101, 50):
            list(self.run_.meter(iter([chat(1, model="long", prompt=prompt)])))
        list(self.run_.meter(iter([{**chat(1, model="long"), "service_tier": "flex"}])))
        finals, _ = self.counted()
        self.assertEqual(
            finals,
            {
                ("long", None): {"input_tokens": 150, "output_tokens": 2},
                ("long", "above_100"): {"input_tokens": 101, "output_tokens": 1},
                ("long", "flex"): {"input_tokens": 10, "output_tokens": 1},
            },
        )
        asked = [one["path"] for one in self.ledger.received if "price-book" in one["path"]]
        self.assertEqual(asked, ["/v1/price-book/models/long"])


class BrokenTiers(MeteredCase):
    def answer(self, path, body, count):
        if "price-book" in path and count < 5:
            return 503, {}, {"code": "ledger_busy"}

    def test_reports_other_usage_while_the_tiers_cannot_be_read(self):
        list(self.run_.meter(iter([chat(7)])))
        self.run_.report("gpt-4", usage(3))
        finals, _ = self.counted()
        self.assertEqual(finals[("gpt-4", None)]["output_tokens"], 3)
        self.assertEqual(finals[("gpt-5", None)]["output_tokens"], 7)


class Aliases(MeteredCase):
    def answer(self, path, body, count):
        if path.endswith("/debits"):
            named = [{**one, "model": "gpt-5", "action": "continue", "run_total_micros": 1} for one in body["reports"]]
            return 200, {}, {"results": named}

    def test_adds_up_what_was_used_under_several_names_of_one_model(self):
        self.run_.report("openai/gpt-5", usage(3))
        self.run_.report("gpt-5", usage(4))
        self.assertTrue(self.client.flush(60))
        self.run_.report("openai/gpt-5", usage(5))
        finals, _ = self.counted()
        self.assertEqual(finals[("gpt-5", None)]["output_tokens"], 9)
        self.assertEqual(self.run_.totals, {"gpt-5": usage(4), "openai/gpt-5": usage(5)})



if __name__ == "__main__":
    unittest.main()
