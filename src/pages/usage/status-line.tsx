/** Renders the status line: an icon for its level, its text, and at most two actions. */
import type { FC } from "hono/jsx";
import type { Status, StatusLevel } from "./status.ts";

const ICONS: Record<StatusLevel, { word: string; path: string }> = {
  ok: { word: "Good", path: "M7.5 12.3l3 3 6-6.6" },
  info: { word: "Note", path: "M12 11v5.2M12 7.6v.1" },
  warning: { word: "Warning", path: "M12 7.4v5.4M12 16.3v.1" },
  critical: { word: "Critical", path: "M8.6 8.6l6.8 6.8M15.4 8.6l-6.8 6.8" },
};

export const StatusLine: FC<{ status: Status }> = ({ status }) => {
  const { kind, level, lead, sentence, actions } = status;
  const icon = ICONS[level];
  return (
    <section id="status" class={`status ${level}`} data-kind={kind} aria-label="Status">
      <svg viewBox="0 0 24 24" width="24" height="24" role="img" aria-label={icon.word}>
        {level === "warning" ? <path d="M12 2.8l9.6 17.4H2.4z" /> : <circle cx="12" cy="12" r="9.5" />}
        <path d={icon.path} />
      </svg>
      <p>
        <strong>{lead}</strong> <span>{sentence}</span>
      </p>
      <div class="actions">
        {actions.map(({ label, url }, i) => (
          <a class={i === 0 ? "button" : "button plain"} href={url} rel={url.startsWith("/") ? undefined : "noopener"}>
            {label}
          </a>
        ))}
      </div>
    </section>
  );
};
