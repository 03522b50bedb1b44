/**
 * The frame of every page: head, navigation, and the two live regions for screen readers. Scripts and styles come from
 * this host and none are inline, so that the strictest Content-Security-Policy works.
 */
import { html } from "hono/html";
import type { Child, FC } from "hono/jsx";
import assets from "../../../dist/asset-paths.json" with { type: "json" };
import type { TokenClaims } from "../../access/tokens.ts";

/** The signed-in person, with the name of their enterprise, and their own if the directory has it. */
export type Signed = Pick<TokenClaims, "enterprise" | "user" | "role"> & { name: string; userName: string | null };

/**
 * Names the page's enterprise in every request of its scripts: another tab may have signed in to another enterprise.
 */
export const ENTERPRISE_HEADER = "Fuelgauge-Enterprise";

/**
 * Sent when a page refreshes itself. A part that cannot be read is then omitted, so that the page keeps its old one, and
 * a page whose session has ended says so instead of being replaced while somebody reads it.
 */
export const REFRESH_HEADER = "Fuelgauge-Refresh";

/** The pages of the section Settings, in the order of its navigation. A new page of the section adds its line here. */
const SETTINGS_PAGES = [
  { tab: "usage", label: "Usage" },
  { tab: "model", label: "Model" },
  { tab: "budgets", label: "Budgets" },
  { tab: "notifications", label: "Notifications" },
] as const;

type Tab = (typeof SETTINGS_PAGES)[number]["tab"];

/** A link of the navigation. */
type NavigationLink = { label: string; href: string; current: boolean };

type LayoutProps = {
  title: string;
  signed?: Signed | undefined;
  tab?: Tab | undefined;
  /** Set on the operator's pages after sign-in. */
  operator?: { pages: readonly NavigationLink[] } | undefined;
  /** Loads the script of the usage page. */
  chart?: boolean;
  children?: Child;
};

const HTMX_CONFIG = JSON.stringify({
  history: "reload",
  morphIgnore: ["data-htmx-powered", "open"],
  extensions: "ws",
  includeIndicatorCSS: false,
  ws: {
    // Also reconnect after 1000, with which a tab's socket closes when the tab is hidden briefly.
    reconnectCodes: [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014],
    // A deployment closes the sockets of all pages at the same moment. With a jitter of 1, each page waits a random time
    // from 0 to twice the delay, which is 1 s and doubles up to 10 s.
    reconnectDelay: 1_000,
    reconnectMaxDelay: 10_000,
    reconnectJitter: 1,
  },
});

/** A complete HTML document. */
export function page(props: LayoutProps) {
  return html`<!doctype html>${<Layout {...props} />}`;
}

const Layout: FC<LayoutProps> = ({ title, signed, tab, operator, chart = false, children }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{documentTitle(title, signed, tab)}</title>
      <link rel="icon" href={assets["icon.svg"]} type="image/svg+xml" />
      <link rel="stylesheet" href={assets["app.css"]} />
      {(signed !== undefined || operator !== undefined) && (
        <>
          <meta name="htmx-config" content={HTMX_CONFIG} />
          {/* Must load before htmx, or it may miss events of the socket that htmx opens. */}
          {chart && <script src={assets["usage.js"]} defer></script>}
          <script src={assets["htmx.js"]} defer></script>
          <script src={assets["page.js"]} defer></script>
        </>
      )}
    </head>
    <body {...requestHeaders(signed)}>
      <a class="skip" href="#content">
        Skip to content
      </a>
      <header class="top">
        <div class="inner">
          <a class="brand" href={signed !== undefined ? "/settings/usage" : operator !== undefined ? "/operator" : "/"}>
            <Mark />
            <span>Fuelgauge</span>
          </a>
          {signed !== undefined && <Navigation signed={signed} tab={tab} />}
          {operator !== undefined && <OperatorNavigation pages={operator.pages} />}
        </div>
      </header>
      <main id="content" class="inner" tabindex={-1}>
        {children}
      </main>
      {signed !== undefined && <p id="signed-out" hidden></p>}
      <div id="status-region" class="unseen" role="status"></div>
      <div id="alert-region" class="unseen" role="alert"></div>
    </body>
  </html>
);

/** "Usage · Settings · Acme · Fuelgauge". The name is isolated so that right-to-left text cannot reorder the rest. */
function documentTitle(title: string, signed: Signed | undefined, tab: Tab | undefined): string {
  const section = tab === undefined ? [] : ["Settings"];
  const name = signed === undefined ? [] : [`\u2068${signed.name}\u2069`];
  return [title, ...section, ...name, "Fuelgauge"].join(" · ");
}

function requestHeaders(signed: Signed | undefined) {
  return signed === undefined
    ? {}
    : { "hx-headers:inherited": JSON.stringify({ [ENTERPRISE_HEADER]: signed.enterprise }) };
}

const Navigation: FC<{ signed: Signed; tab: Tab | undefined }> = ({ signed, tab }) => (
  <>
    <span class="tenant">
      <bdi title={signed.name}>{signed.name}</bdi>
    </span>
    <nav class="tabs" aria-label="Settings">
      <span class="section" aria-hidden="true">
        Settings
      </span>
      {SETTINGS_PAGES.map((page) => (
        <a href={`/settings/${page.tab}`} aria-current={tab === page.tab ? "page" : undefined}>
          {page.label}
        </a>
      ))}
    </nav>
    <form class="who" method="post" action="/signout">
      <span>
        <bdi title={signed.user}>{signed.userName ?? signed.user}</bdi> <small>{signed.role}</small>
      </span>
      <button class="quiet" type="submit">
        Sign out
      </button>
    </form>
  </>
);

const OperatorNavigation: FC<{ pages: readonly NavigationLink[] }> = ({ pages }) => (
  <>
    <span class="tenant">Operator</span>
    <nav class="tabs" aria-label="Operator">
      {pages.map(({ label, href, current }) => (
        <a href={href} aria-current={current ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
    <form class="who" method="post" action="/operator/signout">
      <button class="quiet" type="submit">
        Sign out
      </button>
    </form>
  </>
);

/** The logo: a gauge, three quarters full. */
const Mark: FC = () => (
  <svg class="logo" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
    <path class="logo-track" d="M4.2 18.5a10 10 0 1 1 15.6 0" />
    <path class="logo-fill" d="M4.2 18.5A10 10 0 0 1 17 3.6" />
    <path class="logo-needle" d="M12 13.5l4-5" />
  </svg>
);
