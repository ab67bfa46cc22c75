/** Plugins that speak TLS: what a JSON file's TLSConfig says is held to. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { authority, issue } from "../../test/support/registry-certificates.ts";
import { outcome } from "../base/testing.ts";
import { Plugins } from "./plugins.ts";

const directory = mkdtempSync(join(tmpdir(), "thimble-plugin-tls-"));
const file = (name: string) => join(directory, name);
let server: Server;
let port: number;
let served = 0;

beforeAll(async () => {
  const [ours, other] = [await authority(), await authority()];
  const own = await issue(ours, "localhost");
  const client = await issue(ours, "engine");
  const stranger = await issue(other, "engine");
  const texts = {
    ...{ "ca.pem": ours.cert, "other-ca.pem": other.cert },
    ...{ "cert.pem": client.cert, "key.pem": client.key },
    ...{ "stranger.pem": stranger.cert, "stranger-key.pem": stranger.key, "bad.pem": "nonsense" },
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(file(name), text);
  server = createServer(
    { ...own, ca: ours.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      served++;
      const { authorized } = request.socket as TLSSocket;
      response.writeHead(authorized ? 200 : 500);
      response.end(JSON.stringify({ Implements: ["authz"], Err: "who are you?" }));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

async function find(host: string, config: object, scheme = "https") {
  const description = { Name: "p", Addr: `${scheme}://${host}:${port}/plugin`, TLSConfig: config };
  writeFileSync(file("p.json"), JSON.stringify(description));
  const plugins = new Plugins({ places: { sockets: [], specs: [directory] } });
  return await plugins.find("p", "authz", { patience: 60_000 });
}

const known = { CAFile: file("ca.pem") };
const shown = { CertFile: file("cert.pem"), KeyFile: file("key.pem") };

test("a plugin is asked when its certificate is of the authority, and sees the engine's", async () => {
  expect(await find("localhost", { ...known, ...shown })).toMatchObject({
    host: "localhost",
    port,
  });
});

test("a certificate that is not checked may be anybody's", async () => {
  const config = { InsecureSkipVerify: true, ...shown };
  expect(await find("localhost", config)).toMatchObject({ tls: { insecure: true } });
});

test.each([
  ["of another authority", "localhost", { CAFile: file("other-ca.pem"), ...shown }],
  ["of an authority that nobody knows", "localhost", shown],
  ["for another name", "127.0.0.1", { ...known, ...shown }],
])("a plugin whose certificate is %s hears nothing", async (_, host, config) => {
  const before = served;
  expect(await outcome(find(host, config))).toThrow(
    "Plugin.Activate: the plugin p cannot be asked: ",
  );
  expect(served).toBe(before);
});

test.each([
  ["without a certificate", known],
  [
    "with one of another authority",
    { ...known, CertFile: file("stranger.pem"), KeyFile: file("stranger-key.pem") },
  ],
])("an engine %s is refused by a plugin that asks for one", async (_, config) => {
  expect(await outcome(find("localhost", config))).toThrow("Plugin.Activate: who are you?");
});

test.each([
  [{ CAFile: file("none.pem") }, "no such file"],
  [{ ...known, CertFile: file("cert.pem") }, "CertFile and KeyFile belong together"],
  [{ ...known, CertFile: file("bad.pem"), KeyFile: file("key.pem") }, "cannot be asked"],
])("%j is refused", async (config, why) => {
  expect(await outcome(find("localhost", config))).toThrow(why);
});

test("files for TLS with an address without TLS are an error, and not ignored", async () => {
  expect(await outcome(find("localhost", known, "tcp"))).toThrow(
    `tcp://localhost:${port}/plugin is without TLS; write https:// for its TLSConfig`,
  );
});
