/** The operator's page for prices, without script: search, one entry, edit, refuse, remove, and compare versions. */
import { beforeAll, expect, it } from "vitest";
import { type Answer, OPERATOR_KEY, operator, senderWith } from "./api.ts";

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
