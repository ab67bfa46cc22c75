import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContextStore } from "./context-store.ts";
import { sshArguments } from "./dial-ssh.ts";
import { contextName, parseHost, resolveHost } from "./host.ts";

let directory: string;
let env: Record<string, string>;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-contexts-"));
  env = { DOCKER_CONFIG: directory };
  const common = { description: "", skipTlsVerify: false };
  const store = new ContextStore(env);
  store.write({ ...common, name: "far", host: "tcp://far.example:2376" }, { "ca.pem": "CA" });
  store.write({ ...common, name: "near", host: "ssh://near.example" }, {});
  writeFileSync(join(directory, "config.json"), '{"currentContext":"near"}');
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("the engine is that of", () => {
  const kindOf = (flags: object, more: Record<string, string> = {}) => {
    const { host, source } = resolveHost({ flags, env: { ...env, ...more } });
    return [host.kind, source];
  };
  test("the current context where nothing else is said", () => {
    expect(kindOf({})).toEqual(["ssh", "context"]);
  });
  test("DOCKER_CONTEXT before the current context, and DOCKER_HOST before both", () => {
    expect(kindOf({}, { DOCKER_CONTEXT: "far" })).toEqual(["tcp", "context"]);
    const both = { DOCKER_CONTEXT: "far", DOCKER_HOST: "/x" };
    expect(kindOf({}, both)).toEqual(["unix", "DOCKER_HOST"]);
  });
  test("a flag before all variables", () => {
    expect(kindOf({ host: "/x" }, { DOCKER_CONTEXT: "far" })).toEqual(["unix", "flag"]);
    expect(kindOf({ context: "far" }, { DOCKER_HOST: "/x" })).toEqual(["tcp", "context"]);
    expect(kindOf({ context: "default" })).toEqual(["unix", "default"]);
  });
  test("no context that is missing", () => {
    expect(() => kindOf({ context: "nowhere" })).toThrow('context "nowhere": context not found');
    expect(() => kindOf({ context: "far", host: "/x" })).toThrow("conflicting options");
  });
});

test("the name of the context in use: that of a host that is given is default", () => {
  const nameOf = (flags: object, more: Record<string, string> = {}) =>
    contextName({ flags, env: { ...env, ...more } });
  expect(nameOf({})).toBe("near");
  expect(nameOf({}, { DOCKER_CONTEXT: "nowhere" })).toBe("nowhere");
  expect(nameOf({}, { DOCKER_CONTEXT: "far", DOCKER_HOST: "/x" })).toBe("default");
  expect(nameOf({ context: "far" }, { DOCKER_HOST: "/x" })).toBe("far");
  expect(nameOf({ host: "/x" }, { DOCKER_CONTEXT: "far" })).toBe("default");
});

describe("TLS", () => {
  const tlsOf = (flags: object, more: Record<string, string> = {}) => {
    const { host } = resolveHost({ flags, env: { ...env, ...more } });
    return host.kind === "tcp" ? host.tls : undefined;
  };
  const host = "tcp://x:1";
  test("is spoken when a flag, a variable or a context says so", () => {
    expect(tlsOf({ host })).toBeUndefined();
    expect(tlsOf({ host, tls: { tls: true } })).toMatchObject({ verify: false, caFile: undefined });
    const caFile = join(directory, "ca.pem");
    expect(tlsOf({ host, tls: { tlsverify: true } })).toMatchObject({ verify: true, caFile });
    const variables = { DOCKER_TLS_VERIFY: "0", DOCKER_CERT_PATH: "/certs" };
    expect(tlsOf({ host }, variables)).toMatchObject({ verify: true, caFile: "/certs/ca.pem" });
    expect(tlsOf({ host, tls: { tlsverify: false } }, variables)).toBeUndefined();
    expect(tlsOf({ context: "far" })).toMatchObject({ verify: true, certFile: undefined });
  });
});

test("ssh gets no option from a host, and the other end's shell nothing to expand", () => {
  const host = parseHost("ssh://me@far.example:22/run/a b'$(x).sock");
  if (host.kind !== "ssh") throw new Error("not ssh");
  const words = sshArguments(host);
  expect(words.slice(0, -1)).toEqual(
    "-o ConnectTimeout=30 -T -l me -p 22 -- far.example".split(" "),
  );
  const [, , script] = Bun.spawnSync(["sh", "-c", `printf '%s\\n' ${words.at(-1)}`])
    .stdout.toString()
    .split("\n");
  expect(script).toContain(`-H 'unix:///run/a b'\\''$(x).sock' system dial-stdio`);
});
