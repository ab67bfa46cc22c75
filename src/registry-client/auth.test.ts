import { expect, test } from "bun:test";
import type { Credentials } from "#base";
import { mediaTypes, parseReference, sha256 } from "#image";
import { emptyManifest, faultOf, quickClient } from "../../test/support/registry-client.ts";
import { FakeRegistry, type Hook } from "../../test/support/registry-fake.ts";
import { parseChallenges } from "./challenge.ts";

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** Demands tokens for its scopes, and gives them at /token to those it knows. */
function tokenGuard(options: { lifetime?: number; onlyPost?: boolean } = {}) {
  const issued = new Map<string, string>();
  const grants: string[] = [];
  const hook: Hook = ({ method, path, query, headers, body }, registry) => {
    if (path === "/token") {
      const form = new URLSearchParams(body.toString());
      if (method === "GET" && options.onlyPost) return { status: 405 };
      const isKnown =
        headers.get("authorization") === basic("u", "p") ||
        form.get("refresh_token") === "identity" ||
        (form.get("username") === "u" && form.get("password") === "p");
      const scopes = method === "GET" ? query.getAll("scope").join(" ") : (form.get("scope") ?? "");
      grants.push(`${method} ${form.get("grant_type") ?? "basic"} ${scopes}`);
      if (!isKnown && headers.has("authorization")) return { status: 401 };
      const token = `token-${issued.size}`;
      issued.set(token, isKnown ? scopes : "");
      const offline = query.has("offline_token") ? { refresh_token: "identity" } : {};
      return {
        status: 200,
        body: JSON.stringify({ token, expires_in: options.lifetime ?? 300, ...offline }),
      };
    }
    const scope = /^\/v2\/([^/]+)\//.exec(path)?.[1];
    const needed = method === "PUT" ? "pull,push" : "pull";
    const token = /^Bearer (.*)$/.exec(headers.get("authorization") ?? "")?.[1] ?? "";
    const granted = issued.get(token);
    const isAllowed =
      granted !== undefined &&
      (scope === undefined || granted.includes(`repository:${scope}:${needed}`));
    if (isAllowed) return undefined;
    const challenge = `Bearer realm="http://${registry.host}/token",service="s",scope="repository:${scope}:${needed}"`;
    return { status: 401, headers: { "WWW-Authenticate": challenge } };
  };
  return { hook, grants, issued };
}

test("a token is got once for a scope and shared; another scope has its own", async () => {
  const guard = tokenGuard();
  await using registry = await FakeRegistry.start({ hook: guard.hook });
  registry.addManifest("app", "v1", emptyManifest);
  let asked = 0;
  const client = quickClient({
    credentials: async () => {
      asked++;
      return { username: "u", password: "p" };
    },
  });
  const app = client.repository(parseReference(`${registry.host}/app`));
  await Promise.all([app.resolve("v1"), app.resolve("v1"), app.manifest("v1")]);
  await app.resolve("v1");
  expect(guard.grants).toEqual(["GET basic repository:app:pull"]);
  await app.putManifest("v2", Buffer.from(JSON.stringify(emptyManifest)), mediaTypes.manifest);
  expect(guard.grants.at(-1)).toBe("GET basic repository:app:pull,push");
  expect(guard.grants.length).toBe(2);
  expect(asked).toBe(1);
});

test("an expired or withdrawn token is replaced", async () => {
  const guard = tokenGuard();
  await using registry = await FakeRegistry.start({ hook: guard.hook });
  registry.addManifest("app", "v1", emptyManifest);
  const client = quickClient({ credentials: async () => ({ username: "u", password: "p" }) });
  const app = client.repository(parseReference(`${registry.host}/app`));
  await app.resolve("v1");
  guard.issued.set("token-0", "");
  await app.resolve("v1");
  expect(guard.grants.length).toBe(2);
});

test.each<[string, Credentials, boolean, string]>([
  ["an identity token", { identityToken: "identity" }, false, "POST refresh_token"],
  [
    "a password where there is only OAuth 2",
    { username: "u", password: "p" },
    true,
    "POST password",
  ],
])("%s buys a token by POST", async (_, credentials, onlyPost, grant) => {
  const guard = tokenGuard({ onlyPost });
  await using registry = await FakeRegistry.start({ hook: guard.hook });
  registry.addManifest("app", "v1", emptyManifest);
  const client = quickClient({ credentials: async () => credentials });
  await client.repository(parseReference(`${registry.host}/app`)).resolve("v1");
  expect(guard.grants.at(-1)).toBe(`${grant} repository:app:pull`);
});

test("a registry token is sent as it is", async () => {
  const guard = tokenGuard();
  guard.issued.set("mine", "repository:app:pull");
  await using registry = await FakeRegistry.start({ hook: guard.hook });
  registry.addManifest("app", "v1", emptyManifest);
  const client = quickClient({ credentials: async () => ({ registryToken: "mine" }) });
  await client.repository(parseReference(`${registry.host}/app`)).resolve("v1");
  expect(guard.grants).toEqual([]);
});

test("login: the identity token for right credentials, a fault for wrong ones", async () => {
  await using registry = await FakeRegistry.start({ hook: tokenGuard().hook });
  const client = quickClient();
  const right = await client.login(registry.host, { username: "u", password: "p" });
  expect(right.identityToken).toBe("identity");
  const wrong = client.login(registry.host, { username: "u", password: "x" });
  expect((await faultOf(wrong)).code).toBe("unauthenticated");
});

test("basic authentication, with right, wrong and no credentials", async () => {
  await using registry = await FakeRegistry.start({
    hook: ({ headers }) =>
      headers.get("authorization") === basic("ü", "p:w")
        ? undefined
        : { status: 401, headers: { "WWW-Authenticate": 'Basic realm="x"' } },
  });
  registry.addManifest("app", "v1", emptyManifest);
  const name = parseReference(`${registry.host}/app`);
  const known = quickClient({ credentials: async () => ({ username: "ü", password: "p:w" }) });
  expect((await known.repository(name).resolve("v1")).size).toBeGreaterThan(0);
  expect(await known.login(registry.host, { username: "ü", password: "p:w" })).toEqual({});
  const anonymous = await faultOf(quickClient().repository(name).resolve("v1"));
  expect(anonymous.code).toBe("unauthenticated");
  const before = registry.requests.length;
  const wrong = quickClient().login(registry.host, { username: "ü", password: "x" });
  expect((await faultOf(wrong)).code).toBe("unauthenticated");
  expect(registry.requests.length - before).toBeLessThanOrEqual(4);
});

test.each([
  ["an unencrypted realm", 'Bearer realm="http://auth.example/token"', true],
  ["a file", 'Bearer realm="file:///etc/passwd"', false],
  ["the metadata of a cloud", 'Bearer realm="http://169.254.169.254/token"', false],
  ["nothing", "Bearer", false],
])("a token server at %s is not asked", async (_, challenge) => {
  await using registry = await FakeRegistry.start({
    hook: () => ({ status: 401, headers: { "WWW-Authenticate": challenge } }),
  });
  const client = quickClient({
    credentials: async () => ({ username: "u", password: "p" }),
    resolve: async () => {
      throw new Error("no name is looked up in a test");
    },
  });
  const name = parseReference(`${registry.host}/app`);
  const fault = await faultOf(client.repository(name).resolve("v1"));
  expect(["denied", "unauthenticated", "unavailable"]).toContain(fault.code);
});

test("credentials stay with the host that they are for when it redirects", async () => {
  const seen: (string | undefined)[] = [];
  await using storage = await FakeRegistry.start({
    hook: ({ headers }) => {
      seen.push(headers.get("authorization"));
      return { status: 200, body: "hello" };
    },
  });
  await using registry = await FakeRegistry.start({
    hook: ({ headers }) =>
      headers.has("authorization")
        ? { status: 307, headers: { Location: `http://${storage.host}/data?signed=1` } }
        : { status: 401, headers: { "WWW-Authenticate": "Basic" } },
  });
  const client = quickClient({ credentials: async () => ({ username: "u", password: "p" }) });
  const repository = client.repository(parseReference(`${registry.host}/app`));
  const chunks = await Array.fromAsync(repository.blob({ digest: sha256("hello"), size: 5 }));
  expect(Buffer.concat(chunks).toString()).toBe("hello");
  expect(seen).toEqual([undefined]);
});

test.each([
  ["Basic", [["basic", {}]]],
  ['Basic realm="a, b=c"', [["basic", { realm: "a, b=c" }]]],
  [
    'Bearer realm="https://a/t",service=s , scope="x:y:pull,push"',
    [["bearer", { realm: "https://a/t", service: "s", scope: "x:y:pull,push" }]],
  ],
  [
    'Negotiate, Bearer realm="q\\"uote", Basic realm=x',
    [
      ["negotiate", {}],
      ["bearer", { realm: 'q"uote' }],
      ["basic", { realm: "x" }],
    ],
  ],
  ["", []],
  ['Bearer realm="open', [["bearer", {}]]],
])("challenge %p", (field, expected) => {
  const found = parseChallenges([field]).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
  expect(found).toEqual(expected as never);
});

test("a challenge of any length is read in a moment", () => {
  const long = `Bearer ${'a="\\"'.repeat(50_000)}`;
  expect(parseChallenges([long, " ".repeat(100_000), ",".repeat(100_000)]).length).toBe(1);
});
