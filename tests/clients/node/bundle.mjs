// Bundles browser/NAME.mjs into the folder given, with a page that loads it.
import { build } from "esbuild";
import { writeFileSync } from "node:fs";

const folder = process.argv[2];
const names = ["openfeature", "segment", "posthog", "mixpanel"];
await build({
  entryPoints: names.map((name) => `browser/${name}.mjs`),
  outdir: folder,
  bundle: true,
  format: "iife",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "error",
});
for (const name of names) {
  writeFileSync(`${folder}/${name}.html`, `<!doctype html><title>Cart</title><script src="${name}.js"></script>`);
}
