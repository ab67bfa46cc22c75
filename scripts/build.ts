/**
 * Makes the release: one file, dist/thimble, with the engine, the workers, the helper
 * and the addon inside. It needs no npm, node or compiler where it runs.
 *
 * Loading .env and bunfig.toml from the current directory is switched off: both would
 * let a directory run code in the name of who stands in it. For the same reason the
 * runtime inside does not know BUN_OPTIONS (--preload=FILE) and BUN_BE_BUN any more.
 */
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes } from "#base";

const root = join(import.meta.dir, "..");
const outfile = join(root, "dist/thimble");
const workers = await Array.fromAsync(new Bun.Glob("src/*/*worker.ts").scan(root));

await mkdir(join(root, "dist"), { recursive: true });
const result = await Bun.build({
  entrypoints: [join(root, "src/main/tool.ts"), ...workers.sort().map((file) => join(root, file))],
  // Flat: a worker's URL is resolved against the bundle, which lies at the top.
  naming: { entry: "[name].[ext]" },
  root,
  target: "bun",
  format: "esm",
  bytecode: true,
  // Parts that are loaded on use: with the engine in one piece with them, a command starts 4 ms later.
  splitting: true,
  minify: { syntax: true, whitespace: true, identifiers: false },
  compile: {
    outfile,
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
});
for (const message of result.logs) console.error(String(message));
if (!result.success) process.exit(1);
await forgetVariables(["BUN_OPTIONS", "BUN_BE_BUN"]);
await chmod(outfile, 0o755);
console.log(`dist/thimble ${formatBytes((await stat(outfile)).size)}`);

/**
 * Takes names of variables out of the runtime, which would read them before the first line of ours:
 * with a NUL in its place no variable has the name. The bundled code lies behind the runtime.
 */
async function forgetVariables(names: readonly string[]): Promise<void> {
  const bytes = await readFile(outfile);
  const { size } = await stat(process.execPath);
  for (const name of names) {
    let count = 0;
    for (let at = bytes.indexOf(name); at >= 0 && at < size; at = bytes.indexOf(name, at)) {
      bytes[at] = 0;
      count++;
    }
    if (count === 0) throw new Error(`the runtime does not have ${name} where it was`);
  }
  await writeFile(outfile, bytes);
}
