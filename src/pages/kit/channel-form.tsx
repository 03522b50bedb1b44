/**
 * The form of a channel: its fields, how they are read, and the words for the messages that a channel can get. Several
 * codes that belong together are one choice.
 */
import type { FC } from "hono/jsx";
import { type ChannelJson, type ChannelPut, channelPut } from "../../wire/channel.ts";
import { ID_RULE, isId } from "../../wire/fields.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Checks, Choice, errorsOf, Field, type Form, PostForm } from "./form.tsx";

export const KINDS = { slack: "Slack", email: "Email", webhook: "Webhook" } as const;

/** The choices of messages. The codes of the first one follow from the thresholds. */
export const CHOICES = [
  { name: "thresholds_passed", label: "A percentage of the balance is used", codes: [] as string[] },
  { name: "on_track", label: "On track to run out before the reset", codes: ["on_track_to_run_out"] },
  { name: "exhausted", label: "Nothing is left", codes: ["exhausted"] },
  { name: "recovered", label: "There is credit again", codes: ["recovered"] },
  { name: "bonus", label: "Bonus credits expire within 7 days", codes: ["bonus_expiring"] },
  {
    name: "budgets",
    label: "A budget is 75 % used, 90 % used, or used up",
    codes: ["budget_75", "budget_90", "budget_reached"],
  },
  { name: "report", label: "A report at the end of each cycle", codes: ["cycle_report"] },
] as const;

const MESSAGES = Object.fromEntries(CHOICES.map(({ name, label }) => [name, label]));
const YES = "yes";
const MAX_THRESHOLDS = 20;

/** The fields of an empty form: everything is sent. */
export function emptyForm(): Form {
  const all = Object.fromEntries(CHOICES.map(({ name }) => [name, YES]));
  return { values: { kind: "slack", thresholds: "50, 75, 90, 100", ...all }, errors: {} };
}

export function formOf({ id, kind, target, events, thresholds }: ChannelJson): Form {
  const chosen = CHOICES.filter((choice) => isChosen(events, choice.codes)).map(({ name }) => [name, YES]);
  return { values: { id, kind, target, thresholds: thresholds.join(", "), ...Object.fromEntries(chosen) }, errors: {} };
}

/** Reads the form. `active` is what the channel is now, because the form does not change that. */
export function parseChannelForm(
  values: Record<string, string>,
  active: boolean,
): { id: string; put: ChannelPut } | { errors: Form["errors"] } {
  const id = (values.id ?? "").trim();
  const parts = (values.thresholds ?? "").split(/[\s,;%]+/).filter((part) => part !== "");
  const thresholds = parts.map(Number);
  const errors: Form["errors"] = {};
  const areThresholds = thresholds.length <= MAX_THRESHOLDS && thresholds.every(isThreshold);
  if (!areThresholds) errors.thresholds = "Enter up to 20 whole percentages from 1 to 100, such as 50, 75, 90.";
  if (!isId(id)) errors.id = id === "" ? "Give the channel a name." : `The name ${ID_RULE}.`;
  if (!CHOICES.some(({ name }) => values[name] === YES)) errors.events = "Choose at least one message.";
  const sent = {
    kind: values.kind,
    target: (values.target ?? "").trim(),
    events: areThresholds ? eventsOf(values, thresholds) : null,
    thresholds: areThresholds ? thresholds : [],
    active,
  };
  const parsed = channelPut.safeParse(sent);
  if (!parsed.success) Object.assign(errors, errorsOf(fieldErrors(parsed.error)));
  return parsed.success && Object.keys(errors).length === 0 ? { id, put: parsed.data } : { errors };
}

type ChannelFormProps = {
  form: Form;
  known: ChannelJson | null;
  /** Where the form is posted, and where it leads back. */
  path: string;
};

export const ChannelForm: FC<ChannelFormProps> = ({ form, known, path }) => (
  <section class="card" aria-labelledby="channel-title">
    <h2 id="channel-title">{known === null ? "Add a channel" : `Change ${known.id}`}</h2>
    <PostForm
      form={form}
      action={path}
      submit={known === null ? "Add channel" : "Save"}
      hidden={known === null ? {} : { id: known.id, known: YES }}
      more={
        known !== null && (
          <a class="button plain" href={path}>
            Cancel
          </a>
        )
      }
      wide
    >
      {known === null && (
        <Field
          form={form}
          name="id"
          label="Name"
          maxlength={128}
          hint="For example ops-alerts: letters, digits and any of _ . : @ / -"
        />
      )}
      <Choice form={form} name="kind" label="Send to" options={KINDS} />
      <Field
        form={form}
        name="target"
        label="Address"
        maxlength={2000}
        hint="A Slack incoming-webhook URL, an email address, or an https URL. The recipient of emails has to confirm first."
      />
      <Field
        form={form}
        name="thresholds"
        label="Percentages of the balance"
        optional
        maxlength={200}
        hint="One message when usage passes each of them, such as 50, 75, 90, 100"
      />
      <Checks form={form} name="events" legend="Messages" options={MESSAGES} />
    </PostForm>
  </section>
);

/** Whether the channel gets the messages of a choice. */
export function isChosen(events: ChannelJson["events"], codes: readonly string[]): boolean {
  if (events === null) return true;
  return codes.length === 0
    ? events.some((code) => /^(usage|cap)_/.test(code))
    : codes.some((code) => events.includes(code));
}

function isThreshold(percent: number): boolean {
  return Number.isInteger(percent) && percent >= 1 && percent <= 100;
}

/** The codes of the chosen messages; null if all are chosen. */
function eventsOf(values: Record<string, string>, thresholds: readonly number[]): string[] | null {
  const chosen = CHOICES.filter(({ name }) => values[name] === YES);
  if (chosen.length === CHOICES.length) return null;
  const ofThresholds = thresholds.flatMap((percent) => [`usage_${percent}`, `cap_${percent}`]);
  return chosen.flatMap(({ codes }) => (codes.length === 0 ? ofThresholds : [...codes]));
}
