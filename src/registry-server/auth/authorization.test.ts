import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { type Log, silentLog } from "#base";
import { outcome } from "../../base/testing.ts";
import type { Authorization, HandlerContext, RegistryAction } from "../registry-server.ts";
import { openPasswordFile, passwordEntry } from "./htpasswd.ts";
import { signToken } from "./json-web-token.ts";
import { type OpenedAuthorization, openAuthorization } from "./open-authorization.ts";

const origin = "http://registry.example:5000";
/** Cost 4: fast. Of the passwords "alice's" and "bob's". */
const fast = async (user: string, password: string, prefix = "$2y$") =>
  `${user}:${(await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 })).replace("$2b$", prefix)}`;
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

let directory: string;
let passwordFile: string;
let accessFile: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "registry-auth-"));
  passwordFile = join(directory, "htpasswd");
  accessFile = join(directory, "access");
  const users = [await fast("alice", "alice's"), await fast("bob", "bob's", "$2a$")];
  await writeFile(passwordFile, `${users.join("\n")}\nold:$apr1$x$y\n`);
  await writeFile(accessFile, "* public/* pull\nalice team/* push\nbob * *,admin\n");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function ask(
  opened: OpenedAuthorization,
  authorization: string | undefined,
  repository?: string,
  actions: readonly RegistryAction[] = [],
): Promise<Authorization | undefined> {
  return await opened.authorizer?.authorize({
    method: "GET",
    repository,
    actions,
    authorization,
    remote: "192.0.2.1",
    origin,
  });
}

describe("basic", () => {
  const open = () => openAuthorization({ passwordFile, accessFile, log: silentLog });
  const challenge = 'Basic realm="thimble registry"';

  test("users have the rights of their rules, others those of everybody", async () => {
    const opened = await open();
    expect(await ask(opened, basic("alice", "alice's"), "team/app", ["pull", "push"])).toEqual({
      ok: true,
      subject: "alice",
    });
    expect(await ask(opened, basic("alice", "alice's"), "other", ["pull"])).toEqual({
      ok: false,
      status: 403,
    });
    expect(await ask(opened, undefined, "public/app", ["pull"])).toEqual({ ok: true });
    expect(await ask(opened, undefined, "public/app", ["pull", "push"])).toEqual({
      ok: false,
      status: 401,
      challenge,
    });
  });

  test("the ping asks for a login; empty credentials count as absent", async () => {
    const opened = await open();
    expect(await ask(opened, undefined)).toEqual({ ok: false, status: 401, challenge });
    expect(await ask(opened, basic("", ""), "public/app", ["pull"])).toEqual({ ok: true });
    expect(await ask(opened, basic("bob", "bob's"))).toEqual({ ok: true, subject: "bob" });
  });

  test("the catalogue is for admins", async () => {
    const opened = await open();
    expect(await ask(opened, basic("bob", "bob's"), undefined, ["catalog"])).toMatchObject({
      ok: true,
    });
    expect(await ask(opened, basic("alice", "alice's"), undefined, ["catalog"])).toMatchObject({
      status: 403,
    });
    expect(await ask(opened, undefined, undefined, ["catalog"])).toMatchObject({ status: 401 });
  });

  test.each([
    ["a wrong password", basic("alice", "bob's")],
    ["a user that is not there", basic("mallory", "x")],
    ["a user without bcrypt", basic("old", "y")],
    ["a scheme that is not known", "Negotiate abc"],
    ["a token", "Bearer abc"],
    ["no base64", "Basic !!!"],
  ])("%s is answered 401, also where everybody may", async (_what, header) => {
    const opened = await open();
    expect(await ask(opened, header, "public/app", ["pull"])).toEqual({
      ok: false,
      status: 401,
      challenge,
    });
  });

  test("without rules users may do everything and others nothing", async () => {
    const opened = await openAuthorization({ passwordFile, log: silentLog });
    expect(
      await ask(opened, basic("alice", "alice's"), "x", ["pull", "push", "delete"]),
    ).toMatchObject({ ok: true });
    expect(await ask(opened, basic("alice", "alice's"), undefined, ["catalog"])).toMatchObject({
      ok: true,
    });
    expect(await ask(opened, undefined, "x", ["pull"])).toMatchObject({ status: 401 });
  });

  test("with rules and no users the registry asks for no login", async () => {
    const opened = await openAuthorization({ accessFile, log: silentLog });
    expect(await ask(opened, undefined)).toEqual({ ok: true });
    expect(await ask(opened, undefined, "public/app", ["pull"])).toEqual({ ok: true });
    expect(await ask(opened, undefined, "team/app", ["pull"])).toEqual({ ok: false, status: 403 });
  });
});

describe("the files", () => {
  const errors: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (_message, fields) => errors.push(String(fields?.message)),
  };

  test("count as soon as they change; one that is wrong does not", async () => {
    const path = join(directory, "changing");
    const put = async (text: string) => {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    await put(await fast("carol", "1"));
    const opened = await openAuthorization({ passwordFile: path, log });
    expect(await ask(opened, basic("carol", "1"), "x", ["pull"])).toMatchObject({ ok: true });
    await put(await fast("carol", "2"));
    expect(await ask(opened, basic("carol", "1"), "x", ["pull"])).toMatchObject({ status: 401 });
    expect(await ask(opened, basic("carol", "2"), "x", ["pull"])).toMatchObject({ ok: true });
    await put(":nobody\n");
    expect(await ask(opened, basic("carol", "2"), "x", ["pull"])).toMatchObject({ ok: true });
    await rm(path);
    expect(await ask(opened, basic("carol", "2"), "x", ["pull"])).toMatchObject({ ok: true });
    expect(errors).toEqual([
      `${path}, line 1: there is no "USER:HASH"`,
      `cannot read the password file ${path}: there is no such file`,
    ]);
  });

  test("a missing file is told at once", async () => {
    const path = join(directory, "missing");
    expect(await outcome(openAuthorization({ passwordFile: path, log: silentLog }))).toThrow(
      `cannot read the password file ${path}: there is no such file`,
    );
  });

  test("an entry of ours is one that htpasswd writes, and is accepted", async () => {
    const path = join(directory, "entry");
    const entry = await passwordEntry("dora", "secret");
    expect(entry).toMatch(/^dora:\$2y\$10\$[./A-Za-z0-9]{53}$/);
    await writeFile(path, `${entry}\n`);
    const passwords = await openPasswordFile({ path, log: silentLog });
    expect(await passwords.verify("dora", "secret")).toBe(true);
  });

  test.each([
    ["a:b", "x"],
    ["", "x"],
    ["@users", "x"],
    ["*", "x"],
    ["a", ""],
    ["a", "x".repeat(73)],
  ])("no entry for user %p with password %p", async (user, password) => {
    expect(await outcome(passwordEntry(user, password))).toThrow();
  });
});

describe("tokens of our own", () => {
  const service = "registry.example";
  const open = () =>
    openAuthorization({
      passwordFile,
      accessFile,
      token: { keyFile: join(directory, "key.pem"), service },
      log: silentLog,
    });

  async function call(opened: OpenedAuthorization, path: string, init: RequestInit = {}) {
    const url = new URL(path, origin);
    const response = await opened.handlers[0]?.handle(new Request(url.href, init), {
      url,
    } as HandlerContext);
    return { status: response?.status, body: (await response?.json()) as Record<string, unknown> };
  }
  const post = (fields: Record<string, string>) => ({
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  });

  test("a request without token is told where to get which", async () => {
    const opened = await open();
    expect(await ask(opened, undefined, "team/app", ["pull", "push"])).toEqual({
      ok: false,
      status: 401,
      challenge: `Bearer realm="${origin}/token",service="${service}",scope="repository:team/app:pull,push"`,
    });
    expect(await ask(opened, undefined)).toEqual({
      ok: false,
      status: 401,
      challenge: `Bearer realm="${origin}/token",service="${service}"`,
    });
    expect(await ask(opened, undefined, undefined, ["catalog"])).toMatchObject({
      challenge: `Bearer realm="${origin}/token",service="${service}",scope="registry:catalog:*"`,
    });
  });

  test("a token carries the part of the request that the user may do", async () => {
    const opened = await open();
    const { status, body } = await call(
      opened,
      "/token?service=registry.example&scope=repository:team/app:pull,push,delete&scope=repository:x:pull",
      { headers: { Authorization: basic("alice", "alice's") } },
    );
    expect(status).toBe(200);
    expect(body.expires_in).toBe(300);
    expect(body.refresh_token).toBeUndefined();
    const claims = JSON.parse(
      Buffer.from(String(body.token).split(".")[1] ?? "", "base64url").toString(),
    );
    expect(claims).toMatchObject({ iss: service, aud: service, sub: "alice" });
    expect(claims.access).toEqual([
      { type: "repository", name: "team/app", actions: ["pull", "push"] },
      { type: "repository", name: "x", actions: [] },
    ]);
    const header = `Bearer ${body.token}`;
    expect(await ask(opened, header, "team/app", ["pull", "push"])).toEqual({
      ok: true,
      subject: "alice",
    });
    expect(await ask(opened, header)).toEqual({ ok: true, subject: "alice" });
    expect(await ask(opened, header, "team/other", ["pull"])).toMatchObject({
      status: 401,
      challenge: expect.stringContaining(
        'scope="repository:team/other:pull",error="insufficient_scope"',
      ),
    });
  });

  test("without login there is a token for public rights", async () => {
    const opened = await open();
    const { body } = await call(opened, "/token?scope=repository:public/app:pull,push");
    expect(await ask(opened, `Bearer ${body.token}`, "public/app", ["pull"])).toEqual({ ok: true });
    expect(await ask(opened, `Bearer ${body.token}`, "public/app", ["push"])).toMatchObject({
      status: 401,
    });
  });

  test("a refresh token replaces the password until that changes, and is not an access token", async () => {
    const path = join(directory, "refresh");
    await writeFile(path, await fast("eve", "1"));
    const opened = await openAuthorization({
      passwordFile: path,
      token: { keyFile: join(directory, "key.pem"), service },
      log: silentLog,
    });
    const first = await call(opened, "/token?offline_token=true&account=eve&client_id=docker", {
      headers: { Authorization: basic("eve", "1") },
    });
    const refresh = String(first.body.refresh_token);
    expect(await ask(opened, `Bearer ${refresh}`)).toMatchObject({ status: 401 });
    const fields = {
      grant_type: "refresh_token",
      refresh_token: refresh,
      service,
      scope: "repository:a:pull repository:b:pull",
    };
    const second = await call(opened, "/token", post(fields));
    expect(second.status).toBe(200);
    expect(await ask(opened, `Bearer ${second.body.access_token}`, "b", ["pull"])).toMatchObject({
      subject: "eve",
    });
    await writeFile(`${path}.new`, await fast("eve", "2"));
    await rename(`${path}.new`, path);
    expect(await call(opened, "/token", post(fields))).toMatchObject({
      status: 401,
      body: { error: "invalid_grant", errors: [{ code: "UNAUTHORIZED" }] },
    });
    const access = await call(
      opened,
      "/token",
      post({ ...fields, refresh_token: String(first.body.token) }),
    );
    expect(access.status).toBe(401);
  });

  test("the password grant", async () => {
    const opened = await open();
    const fields = {
      grant_type: "password",
      username: "bob",
      password: "bob's",
      access_type: "offline",
      scope: "registry:catalog:*",
    };
    const { status, body } = await call(opened, "/token", post(fields));
    expect(status).toBe(200);
    expect(body.refresh_token).toBeString();
    expect(await ask(opened, `Bearer ${body.access_token}`, undefined, ["catalog"])).toMatchObject({
      ok: true,
    });
  });

  test("rights that were taken away are gone from tokens that still run", async () => {
    const path = join(directory, "rules");
    await writeFile(path, "alice * *");
    const opened = await openAuthorization({
      passwordFile,
      accessFile: path,
      token: { keyFile: join(directory, "key.pem"), service },
      log: silentLog,
    });
    const { body } = await call(opened, "/token?scope=repository:a:pull", {
      headers: { Authorization: basic("alice", "alice's") },
    });
    expect(await ask(opened, `Bearer ${body.token}`, "a", ["pull"])).toMatchObject({ ok: true });
    await writeFile(path, "alice other *");
    expect(await ask(opened, `Bearer ${body.token}`, "a", ["pull"])).toMatchObject({ status: 401 });
  });

  test.each([
    ["a wrong password", "/token", { headers: { Authorization: basic("alice", "x") } }, 401],
    ["another service", "/token?service=other", {}, 400],
    ["no scope", "/token?scope=repository:a", {}, 400],
    ["too many scopes", `/token?${"scope=repository:a:pull&".repeat(101)}`, {}, 400],
    ["another method", "/token", { method: "PUT" }, 405],
    [
      "no form",
      "/token",
      { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } },
      400,
    ],
    ["another grant", "/token", post({ grant_type: "authorization_code" }), 400],
    ["a password grant without password", "/token", post({ grant_type: "password" }), 401],
    [
      "a made-up refresh token",
      "/token",
      post({ grant_type: "refresh_token", refresh_token: "a.b.c" }),
      401,
    ],
  ])("%s is refused", async (_what, path, init, status) => {
    const answer = await call(await open(), path, init);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toBeString();
  });
});

describe("tokens of another issuer", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: "auth.example",
    aud: "registry.example",
    sub: "alice",
    exp: now + 300,
    nbf: now,
    access: [{ type: "repository", name: "a", actions: ["pull"] }],
  };
  const token = async (changes: object, key = privateKey, header: object = {}) =>
    `Bearer ${await signToken({ key, header: { typ: "JWT", ...header }, claims: { ...claims, jti: randomUUID(), ...changes } })}`;
  const open = async (trusted = publicKey) => {
    const bundle = join(directory, `${randomUUID()}.pem`);
    await writeFile(bundle, trusted.export({ type: "spki", format: "pem" }));
    return await openAuthorization({
      issuer: {
        realm: "https://auth.example/token",
        service: "registry.example",
        issuer: "auth.example",
        rootCertBundle: bundle,
      },
      log: silentLog,
    });
  };

  test("are taken as they are", async () => {
    const opened = await open();
    expect(await ask(opened, await token({}), "a", ["pull"])).toEqual({
      ok: true,
      subject: "alice",
    });
    expect(
      await ask(opened, await token({ aud: ["x", "registry.example"] }), "a", ["pull"]),
    ).toMatchObject({ ok: true });
    expect(await ask(opened, undefined, "a", ["pull"])).toEqual({
      ok: false,
      status: 401,
      challenge:
        'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull"',
    });
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  test.each([
    ["ES384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["RS256", rsa],
    ["PS512", rsa],
    ["EdDSA", generateKeyPairSync("ed25519")],
  ])("signed with %s are taken by their own key alone", async (alg, pair) => {
    const given = await token({}, pair.privateKey, { alg });
    expect(await ask(await open(pair.publicKey), given, "a", ["pull"])).toMatchObject({ ok: true });
    expect(await ask(await open(), given, "a", ["pull"])).toMatchObject({ ok: false });
  });

  const extended = async () =>
    `Bearer ${await new SignJWT({ ...claims, jti: randomUUID() })
      .setProtectedHeader({ alg: "ES256", typ: "JWT", crit: ["x"], x: 1 })
      .sign(privateKey, { crit: { x: true } })}`;
  const unsigned = (header: object) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `Bearer ${part(header)}.${part(claims)}.AAAA`;
  };
  test.each([
    ["signed by another key", token({}, other)],
    ["of another issuer", token({ iss: "x" })],
    ["for another registry", token({ aud: "x" })],
    ["expired", token({ exp: now - 3600 })],
    ["without an end", token({ exp: undefined })],
    ["not valid yet", token({ nbf: now + 3600 })],
    ["without signature", unsigned({ alg: "none" })],
    ["with a secret for a key", unsigned({ alg: "HS256" })],
    ["with an algorithm of another key", unsigned({ alg: "RS256" })],
    ["with a critical extension", extended()],
    ["with a chain that leads nowhere", token({}, privateKey, { x5c: ["AAAA"] })],
    ["with malformed access", token({ access: [{ type: 1 }] })],
    ["that is none", "Bearer abc"],
    ["with basic credentials", basic("alice", "alice's")],
  ])("%s is refused", async (_what, header) => {
    expect(await ask(await open(), await header, "a", ["pull"])).toMatchObject({
      ok: false,
      status: 401,
    });
  });
});
