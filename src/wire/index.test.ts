import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { loadSchemas } from "./index.ts";

test("importing the module evaluates no schema: a CLI start must not pay for zod", async () => {
  const index = fileURLToPath(new URL("./index.ts", import.meta.url));
  const script = `await import(${JSON.stringify(index)});
    process.stdout.write(Object.keys(require.cache).filter((path) => path.includes("/zod/")).join() || "none")`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe("none");
});

test("the schemas come when asked for", async () => {
  const { execStartSchema } = await loadSchemas();
  expect(execStartSchema.safeParse({ Detach: 1 }).success).toBe(false);
});
