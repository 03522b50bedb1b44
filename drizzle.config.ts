import { defineConfig } from "drizzle-kit";

export default defineConfig({ dialect: "sqlite", schema: "./src/rollups/schema.ts", out: "./migrations" });
