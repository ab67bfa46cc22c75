import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { Plugins } from "./plugins.ts";

let root: string;
let plugins: Plugins;
const servers: Server[] = [];
const how = { patience: 60_000 };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-plugins-"));
  for (const name of ["sockets", "specs"]) mkdirSync(join(root, name));
  const places = { sockets: [join(root, "sockets")], specs: [join(root, "specs")] };
  plugins = new Plugins({ places, self: "me" });
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(root, { recursive: true });
});

/** Gives how often it was asked what it is. */
async function serve(socket: string, manifest: object): Promise<() => number> {
  let activations = 0;
  const server = createServer((request, response) => {
    if (request.url === "/Plugin.Activate") activations++;
    response.end(JSON.stringify(manifest));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(join(root, socket), resolve));
  return () => activations;
}

test("a plugin says once what it is, and again where it has moved", async () => {
  const here = await serve("sockets/p.sock", { Implements: ["authz", "VolumeDriver"] });
  const { socket } = await plugins.find("p", "authz", how);
  expect(socket).toBe(join(root, "sockets/p.sock"));
  await plugins.find("p", "VolumeDriver", how);
  expect(here()).toBe(1);
  const there = await serve("elsewhere", { Implements: ["authz"] });
  rmSync(join(root, "sockets/p.sock"));
  writeFileSync(join(root, "specs/p.spec"), `unix://${root}/elsewhere`);
  await plugins.find("p", "authz", how);
  expect([here(), there()]).toEqual([1, 1]);
});

test("a plugin that is away for a moment is where it was, for those who wait", async () => {
  await serve("sockets/p.sock", { Implements: ["authz"] });
  const address = await plugins.find("p", "authz", how);
  rmSync(join(root, "sockets/p.sock"));
  expect(await plugins.find("p", "authz", { ...how, reachPatience: 1 })).toEqual(address);
  expect(await outcome(plugins.find("p", "authz", how))).toThrow('plugin "p" not found');
});

test.each([
  [{ Implements: ["VolumeDriver"] }, 'plugin "p" does not implement authz'],
  [{ Implements: "authz" }, 'plugin "p" does not implement authz'],
  [{}, 'plugin "p" does not implement authz'],
  [{ Implements: ["authz"], ThimbleEngine: "me" }, 'plugin "p" is this engine'],
])("one that says %j is none", async (manifest, message) => {
  await serve("sockets/p.sock", manifest);
  expect(await outcome(plugins.find("p", "authz", how))).toThrow(message);
});
