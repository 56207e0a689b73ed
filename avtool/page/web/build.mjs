// Bundles the page's script, with what each file of it was made of; see tests/test_show.py.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const sum = createHash("sha256");
for (const name of readdirSync(".").filter((name) => /\.(ts|json|mjs)$/.test(name)).sort())
  sum.update(readFileSync(name));
const digest = sum.digest("hex");
for (const entry of readdirSync(".").filter((name) => ["page.ts", "head.ts", "serve.ts"].includes(name))) {
  const minify = entry === "head.ts"; // three.js, which nobody reads here
  const { outputFiles } = await build({
    entryPoints: [entry], bundle: true, write: false, format: "iife", target: "es2022",
    minify, legalComments: "inline", charset: "utf8",
  });
  // Within HTML no script may hold these.
  const code = outputFiles[0].text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
  writeFileSync(`../assets/${entry.replace(".ts", ".js")}`, `// made by web/build.mjs of ${digest}\n${code}`);
}
