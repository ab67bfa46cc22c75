import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "../run-cli.ts";
import { testOptions, textSource } from "../testing.ts";

const directory = mkdtempSync(join(tmpdir(), "compose-config-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, "compose.yaml");
writeFileSync(file, "name: shop\nservices: {web: {image: 'nginx:$TAG', build: .}}\n");

async function run(words: readonly string[], stdin = "") {
  const { options, stdout, stderr } = testOptions({ stdin: textSource(stdin) });
  const status = await runCli(["compose", ...words], options);
  return { status, out: stdout.text, err: stderr.text };
}

test("flags of the project stand before or behind the verb", async () => {
  const before = await run(["-f", file, "config", "--services"]);
  expect(before).toEqual({ ...before, status: 0, out: "web\n" });
  expect((await run(["config", "--services", "-f", file])).out).toBe("web\n");
  expect((await run(["convert", "--services", "-f", file])).out).toBe("web\n");
});

test("a variable without a value is warned of, as docker compose does", async () => {
  const { err } = await run(["-f", file, "config", "-q"]);
  expect(err).toMatch(
    /^time="[^"]+" level=warning msg="The \\"TAG\\" variable is not set. Defaulting to a blank string."\n$/,
  );
});

test("a project is read from the standard input", async () => {
  const { out } = await run(["-f", "-", "-p", "p", "config"], "services: {a: {image: i}}");
  expect(out).toStartWith("name: p\nservices:\n  a:\n    image: i\n");
});

test("-o writes to a file, and says why it cannot", async () => {
  const path = join(directory, "out.yaml");
  expect((await run(["-f", file, "config", "-o", path])).out).toBe("");
  expect(readFileSync(path, "utf8")).toContain("context: ");
  const failed = await run(["-f", file, "config", "-o", join(directory, "no/out.yaml")]);
  expect(failed.status).toBe(1);
  expect(failed.err).toContain("no/out.yaml: no such file or directory");
});

test("a verb of docker compose that is not there yet is named", async () => {
  const { status, err } = await run(["-f", file, "publish", "x"]);
  expect(status).toBe(1);
  expect(err).toContain("docker has the command 'compose publish', but this version of thimble");
});

test("digests of images and models are refused", async () => {
  expect((await run(["-f", file, "config", "--resolve-image-digests"])).err).toContain(
    "thimble does not have it",
  );
  const models = "services: {a: {image: i, models: [m]}}\nmodels: {m: {model: ai/x}}\n";
  const { status, err } = await run(["-f", "-", "config"], models);
  expect({ status, err }).toEqual({
    status: 1,
    err: 'service "a" uses "models", which thimble does not run; remove the key, or run the model as a service\n',
  });
});
