import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { thirdParty } from "./scripts/third-party.mjs";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The licences of what is shipped, beside what is shipped. */
function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    writeBundle: ({ dir }) => writeFileSync(`${dir}/THIRD-PARTY.txt`, thirdParty()),
  };
}

/** The typed client is a package of its own; the app is built from its source. */
export const alias = {
  "@durable/client": here("../clients/typescript/src/index.ts"),
  "openapi-fetch": here("node_modules/openapi-fetch"),
};

export default defineConfig({
  // Relative, so that the app works wherever its host puts it.
  base: "./",
  resolve: { alias },
  plugins: [react(), tailwindcss(), licences()],
  build: {
    // No inline modules, scripts or images: the page's policy allows none.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    target: "es2022",
  },
  server: {
    // `npm run dev` beside `cargo run -p axum-checkout`.
    proxy: { "/api": { target: "http://127.0.0.1:3000/durable", changeOrigin: false } },
  },
});
