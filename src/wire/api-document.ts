/**
 * The OpenAPI document as the page of the interface reads it: the parts of OpenAPI 3.1 that ours has. The routes make it
 * (src/api/document.ts), and people read it (src/pages/reference/page.tsx).
 */
export type Json = Record<string, unknown>;

/** A schema by JSON Schema 2020-12, as far as ours go. */
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
  /** What a socket takes and sends, each a reference to a schema. */
  "x-websocket"?: { sends?: ApiSchema; receives: ApiSchema };
};

export type ApiDocument = {
  openapi: string;
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, ApiOperation>>;
  components: { schemas: Record<string, ApiSchema>; securitySchemes: Record<string, Json> };
  "x-problem-codes": Record<string, { status: number; what: string; remedy: string }>;
};
