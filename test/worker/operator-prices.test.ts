/** The operator's page for prices, without script: search, one entry, edit, refuse, remove, and compare versions. */
import { beforeAll, expect, it } from "vitest";
import { type Answer, CREDIT, newEnterprise, OPERATOR_KEY, operator, report, senderWith } from "./api.ts";

const PATH = "/operator/prices";
const stranger = senderWith(null);
let cookie = "";

const init = () => ({ headers: { Accept: "text/html", Cookie: cookie }, redirect: "manual" as const });
const get = (query = "") => stranger("GET", `${PATH}${query}`, undefined, init());
const post = (path: string, fields: Record<string, string>): Promise<Answer> =>
  stranger("POST", path, new URLSearchParams(fields).toString(), {
    headers: {
      Accept: "text/html",
      Cookie: cookie,
      "Content-Type": "application/x-www-form-urlencoded",
      Origin: "https://fuelgauge.test",
      "Sec-Fetch-Site": "same-origin",
    },
    redirect: "manual",
  });
const version = async () => String((await operator("GET", "/v1/price-book")).body.version);

beforeAll(async () => {
  const signedIn = await post("/operator/signin", { operator_key: OPERATOR_KEY });
  cookie = (signedIn.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
});

it("finds the model that a name means, and shows its kinds and tiers", async () => {
  expect((await get("?q=openai/gpt-5-mini")).text).toContain("are priced as");
  const page = (await get("?model=gpt-5.4")).text;
  expect(page).toContain("above_271999");
  expect(page).toContain("cache_audio_read");
});

it("changes one entry, keeps what was typed if it is invalid, and shows what changed", async () => {
  const entry = { id: "m-page", aliases: [], input: "1", output: "2" };
  const invalid = await post(PATH, {
    model: "",
    version: await version(),
    entry: '{"id":"m-page","input":"x<y","output":"2"}',
  });
  expect(invalid.status).toBe(422);
  expect(invalid.text).toContain("nput must be a decimal string");
  expect(invalid.text).toContain("x&lt;y");
  expect((await post(PATH, { model: "", version: await version(), entry: "{" })).text).toContain("not valid JSON");
  expect((await post(PATH, { model: "", version: "999", entry: JSON.stringify(entry) })).text).toContain(
    "Somebody else",
  );
  const before = await version();
  const saved = await post(PATH, { model: "", version: before, entry: JSON.stringify(entry) });
  expect([saved.status, saved.headers.get("Location")]).toEqual([303, `${PATH}?model=m-page`]);
  const after = await version();
  expect((await get(`?from=${before}&to=${after}`)).text).toContain("1 of 1 entries that differ");
  expect((await post(PATH, { model: "m-page", version: after, entry: "", remove: "yes" })).status).toBe(303);
  expect((await operator("GET", "/v1/price-book/models/m-page")).status).toBe(404);
});

it("lists the names that wait for a price, what they would cost as a model, and gives one its price", async () => {
  expect((await get()).text).not.toContain("Waiting for a price");
  const enterprise = await newEnterprise();
  const usage = { input_tokens: 2_000_000, output_tokens: 100_000 };
  await enterprise.debit(report({ model: "gpt-5-_future_", usage }));
  const page = (await get()).text;
  expect(page).toContain("1 meter in 1 enterprise has");
  // 2 million input tokens at 1.25 USD, and 100,000 output tokens at 10 USD per million.
  expect(page).toMatch(/\$[\d.]+ as/);
  expect((await get("?as=gpt-5")).text).toMatch(/\$3\.50 as/);
  expect((await get("?as=o1-pro")).text).toMatch(/\$360\S* as/);
  expect((await get("?as=unheard-of")).text).toContain("The price book has no price for");
  const form = (await get("?model=gpt-5&alias=gpt-5-_future_")).text;
  expect(form).toContain("&quot;gpt-5-_future_&quot;");
  const gpt5 = (await operator("GET", "/v1/price-book")).body.models.find(({ id }: { id: string }) => id === "gpt-5");
  const entry = JSON.stringify({ ...gpt5, aliases: [...gpt5.aliases, "gpt-5-_future_"] });
  expect((await post(PATH, { model: "gpt-5", version: await version(), entry })).status).toBe(303);
  await expect.poll(async () => (await enterprise.gauge()).used_micros).toBe(350 * CREDIT);
});

it("lists the versions page by page", async () => {
  const first = Number(await version());
  for (let n = 0; n < 22; n++) {
    await operator("PATCH", "/v1/price-book", { models: [{ id: `m-${n}`, input: "1", output: "1" }] });
  }
  const shownOn = (text: string) => [...text.matchAll(/>Version ([\d,]+)</g)].map(([, number]) => Number(number));
  const newest = shownOn((await get()).text);
  expect(newest).toEqual(Array.from({ length: 20 }, (_, n) => first + 22 - n));
  const older = await get(`?before=${newest.at(-1)}`);
  expect(shownOn(older.text).slice(0, 3)).toEqual([first + 2, first + 1, first]);
  expect(older.text).toContain("Show the newest");
});
