/**
 * The type of our OpenAPI document: the parts of OpenAPI 3.1 that it has. src/api/document.ts makes the document from the
 * routes, and src/pages/reference/ shows it to people.
 */
export type Json = Record<string, unknown>;

/** The parts of JSON Schema 2020-12 that our schemas use. */
export type ApiSchema = {
  $ref?: string;
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
  example?: unknown;
  properties?: Record<string, ApiSchema>;
  required?: string[];
  items?: ApiSchema;
  anyOf?: ApiSchema[];
  allOf?: ApiSchema[];
};

type Content = Record<string, { schema: ApiSchema; example?: unknown }>;

export type ApiOperation = {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: ApiSchema }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
  "x-codeSamples"?: { lang: string; label: string; source: string }[];
  /** The scopes of which an operator key with scopes needs one; absent if only OPERATOR_KEY may call it. */
  "x-operator-scopes"?: readonly string[];
  /** The messages that a client sends to a socket and receives from it, as references to schemas. */
  "x-websocket"?: { sends?: ApiSchema; receives: ApiSchema };
};

export type ApiWebhook = Pick<ApiOperation, "operationId" | "summary" | "description" | "parameters" | "responses"> & {
  requestBody: { content: Content };
  /** A body as it is sent, with its headers, and the secret that verifies it. */
  "x-sample": { secret: string; headers: Record<string, string>; body: string };
};

export type ApiDocument = {
  openapi: string;
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, ApiOperation>>;
  /** What the deployment sends to others, by the type of the message. */
  webhooks: Record<string, Record<string, ApiWebhook>>;
  components: { schemas: Record<string, ApiSchema>; securitySchemes: Record<string, Json> };
  "x-problem-codes": Record<string, { status: number; what: string; remedy: string }>;
};
