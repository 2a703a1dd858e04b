// Builds dist/: an ES module with the recorder as a chunk of its own, a classic script, and the parts for those who ask for them.
import { build } from "esbuild";
import { minify } from "terser";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";

const here = (path) => new URL(path, import.meta.url).pathname;

/** Points one module of the source elsewhere. */
const replace = (filter, path, external = false) => ({
  name: "replace",
  setup: (context) => context.onResolve({ filter }, () => ({ path, external })),
});

/** One output file; private names of web-vitals start with an underscore and are shortened like ours. */
async function bundle(entry, output, options) {
  const { outputFiles } = await build({
    entryPoints: [here(entry)],
    bundle: true,
    write: false,
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    mangleProps: /^_[a-z]/,
    tsconfigRaw: { compilerOptions: { alwaysStrict: false, useDefineForClassFields: true } },
    ...options,
  });
  const { code } = await minify(outputFiles[0].text, {
    module: options.format === "esm",
    toplevel: true,
    ecma: 2020,
    compress: { passes: 5, keep_fargs: false, hoist_props: true, unsafe_arrows: true, pure_getters: true },
  });
  await writeFile(here(output), code);
}

await rm(here("dist"), { recursive: true, force: true });
await mkdir(here("dist"));
const chunk = replace(/\/recording\.js$/, "./recording.mjs", true);
/** Soft navigations are not reported: the parts of web-vitals that serve them alone are left out. */
const vitals = {
  name: "vitals",
  setup: (context) =>
    context.onLoad({ filter: /web-vitals\/dist\/modules\/.*\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8"))
        .replace(/checkSoftNavsEnabled\(opts\)/g, "false")
        .replace(/\w+\.entryType === '(soft-navigation|interaction-contentful-paint)'/g, "false")
        .replace(/\w+\.entryType !== 'soft-navigation'/g, "true"),
    })),
};
const script = replace(/\/recorder\.js$/, here("src/recorder.script.ts"));
await Promise.all([
  bundle("src/index.ts", "dist/paribus.mjs", { format: "esm", plugins: [chunk, vitals] }),
  bundle("src/script.ts", "dist/paribus.iife.js", { format: "iife", plugins: [script, vitals] }),
  bundle("src/react.ts", "dist/react.mjs", { format: "esm", external: ["react"] }),
  bundle("src/following.ts", "dist/following.mjs", { format: "esm" }),
  bundle("src/breaker.ts", "dist/breaker.mjs", { format: "esm" }),
  // rrweb arrives minified, and mangling again would only take time.
  build({
    entryPoints: [here("src/recording.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    outfile: here("dist/recording.mjs"),
  }),
]);
