import { afterEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { DockerConfig } from "./docker-config.ts";
import { configDirectory, userCredentials } from "./open-docker-config.ts";

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

function place(content?: object | string) {
  const directory = mkdtempSync(join(tmpdir(), "thimble-config-"));
  made.push(directory);
  const file = join(directory, "config.json");
  if (content !== undefined)
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  const env = { PATH: `${directory}:${process.env.PATH}` };
  const read = () => JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  return { directory, file, env, read, config: new DockerConfig(directory, env) };
}

/** A helper that keeps what it is given in a file beside it. */
function helper(directory: string, name: string, script: string): void {
  const path = join(directory, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\ncd ${directory}\n${script}\n`);
  chmodSync(path, 0o755);
}

const keeper = `case $1 in
store) cat > kept;;
get) cat > asked; if [ -e kept ]; then cat kept; else echo "credentials not found in native keychain"; exit 1; fi;;
erase) rm -f kept;;
list) echo '{"listed.example":"joe"}';;
esac`;

test("the directory is DOCKER_CONFIG's, else below HOME", () => {
  expect(configDirectory({ DOCKER_CONFIG: "/c", HOME: "/h" })).toBe("/c");
  expect(configDirectory({ HOME: "/h" })).toBe("/h/.docker");
});

test("without a file there are no credentials, and storing makes one for its owner alone", async () => {
  const { directory, env } = place();
  const config = new DockerConfig(join(directory, "new"), env);
  expect(await config.credentials("r.example")).toBeUndefined();
  await config.store("r.example", { username: "joe", password: "a:b" });
  expect(statSync(join(directory, "new/config.json")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(directory, "new/config.json"), "utf8")).toBe(
    '{\n\t"auths": {\n\t\t"r.example": {\n\t\t\t"auth": "am9lOmE6Yg=="\n\t\t}\n\t}\n}',
  );
  expect(await config.credentials("r.example")).toEqual({
    serveraddress: "r.example",
    username: "joe",
    password: "a:b",
  });
});

test("fields of other programs stay in the file", async () => {
  const { config, read } = place({
    auths: { "https://index.docker.io/v1/": { auth: btoa("hub:x"), email: "me@x" } },
    psFormat: "table",
    plugins: { a: { b: "c" } },
  });
  await config.store("r.example", { username: "joe", password: "p" });
  await config.erase("r.example");
  await config.erase("never.example");
  expect(read()).toEqual({
    auths: { "https://index.docker.io/v1/": { auth: btoa("hub:x"), email: "me@x" } },
    psFormat: "table",
    plugins: { a: { b: "c" } },
  });
});

test("Docker Hub is found under all of its names, other registries with a scheme and a path, too", async () => {
  const { config } = place({
    auths: {
      "https://index.docker.io/v1/": { auth: btoa("hub:x") },
      "https://r.example:5000/v2/": { auth: `${btoa("joe:p\0\0")}` },
      "empty.example": {},
    },
  });
  for (const name of ["docker.io", "registry-1.docker.io", "index.docker.io"])
    expect((await config.credentials(name))?.username).toBe("hub");
  expect(await config.credentials("r.example:5000")).toMatchObject({ password: "p" });
  expect(await config.credentials("r.example")).toBeUndefined();
  expect(await config.credentials("empty.example")).toBeUndefined();
});

test("a token takes the password's place", async () => {
  const { config, read, directory, env } = place({});
  await config.store("docker.io", { username: "joe", password: "p", identitytoken: "t" });
  expect(read()).toEqual({
    auths: { "https://index.docker.io/v1/": { auth: btoa("joe:"), identitytoken: "t" } },
  });
  expect(await userCredentials(directory, env)("docker.io")).toEqual({
    username: "joe",
    identityToken: "t",
  });
});

test("a helper has the credentials, and the file none", async () => {
  const { config, directory, read } = place({ credsStore: "keeper" });
  helper(directory, "keeper", keeper);
  expect(await config.credentials("r.example")).toBeUndefined();
  expect(readFileSync(join(directory, "asked"), "utf8")).toBe("r.example");
  expect(await config.store("r.example", { username: "joe", password: "p" })).toBe("keeper");
  expect(JSON.parse(readFileSync(join(directory, "kept"), "utf8"))).toEqual({
    ServerURL: "r.example",
    Username: "joe",
    Secret: "p",
  });
  expect(read()).toEqual({ credsStore: "keeper", auths: { "r.example": {} } });
  expect(await config.credentials("r.example")).toMatchObject({ username: "joe", password: "p" });
  await config.erase("r.example");
  expect(existsSync(join(directory, "kept"))).toBe(false);
  expect(read()).toEqual({ credsStore: "keeper", auths: {} });
});

test("one registry's helper goes before that of all, and may give a token", async () => {
  const { config, directory } = place({
    credsStore: "keeper",
    credHelpers: { "r.example": "token" },
  });
  helper(directory, "keeper", keeper);
  helper(directory, "token", `echo '{"Username":"<token>","Secret":"t"}'`);
  expect(await config.credentials("r.example")).toEqual({
    serveraddress: "r.example",
    identitytoken: "t",
  });
  expect(await config.credentials("other.example")).toBeUndefined();
});

test("a helper that is missing, fails or says nonsense is named", async () => {
  const { config, directory } = place({
    credHelpers: {
      "a.example": "gone",
      "b.example": "sad",
      "c.example": "odd",
      "d.example": "../x",
      "e.example": "endless",
      "f.example": "long",
    },
  });
  helper(directory, "sad", "echo no key; exit 3");
  helper(directory, "odd", "echo hello");
  helper(directory, "endless", "exec cat /dev/zero");
  helper(directory, "long", "head -c 9999 /dev/zero | tr '\\0' a; exit 1");
  const failing = (host: string) => config.credentials(host).catch((error: Error) => error.message);
  expect(await failing("a.example")).toContain("docker-credential-gone: it is not in the PATH");
  expect(await failing("b.example")).toContain("failed to get: no key");
  expect(await failing("c.example")).toContain("did not answer with JSON");
  expect(await failing("e.example")).toContain("answers with more than 1048576 bytes");
  expect(((await failing("f.example")) as string).length).toBeLessThan(400);
  expect(await failing("d.example")).toContain("not the name of a credential helper");
});

test("a link leads to the file that is written, and a file that is not JSON is left alone", async () => {
  const { directory, env } = place();
  mkdirSync(join(directory, "real"));
  mkdirSync(join(directory, "linked"));
  writeFileSync(join(directory, "real/config.json"), "{}");
  symlinkSync("../real/config.json", join(directory, "linked/config.json"));
  const config = new DockerConfig(join(directory, "linked"), env);
  await config.store("r.example", { username: "joe", password: "p" });
  expect(readFileSync(join(directory, "real/config.json"), "utf8")).toContain("r.example");
  writeFileSync(join(directory, "real/config.json"), "{ broken");
  expect(await outcome(config.store("r.example", { username: "joe" }))).toThrow("is not JSON");
  expect(readFileSync(join(directory, "real/config.json"), "utf8")).toBe("{ broken");
});
