/** Makes or changes a channel. Refuses a target on the deployment's own host, which only the Worker knows. */
import type { Caller } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { type ChannelJson, type ChannelPut, parseChannelPut } from "../wire/channel.ts";
import { hostOf } from "../wire/webhook-url.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** @param site the URL of the request; links in messages get its origin */
export async function putChannel(
  env: Env,
  site: string,
  caller: Caller,
  address: Address,
  id: string,
  sent: ChannelPut,
): Promise<{ channel: ChannelJson; created: boolean } | Refused | Denied> {
  if (sent.kind !== "email" && hostOf(sent.target) === hostOf(site)) {
    const message = "must not be this deployment's own host";
    return refuse({ code: "validation_failed", errors: [{ path: "target", message }] });
  }
  const put = await enterpriseStub(env, address).putChannel(caller, id, parseChannelPut(sent), new URL(site).origin);
  return isRefusal(put) ? put : { channel: put.channel, created: put.created };
}
