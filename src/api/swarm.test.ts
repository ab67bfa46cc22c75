import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
const noVersion = (kind: string) =>
  `invalid ${kind} version '': strconv.ParseUint: parsing "": invalid syntax`;

/** Recorded from dockerd 28.5, which was in no swarm. */
const swarmAnswers: readonly (readonly [string, number, string])[] = [
  ["GET /swarm", 503, noManager],
  ["GET /swarm/unlockkey", 503, noManager],
  ["GET /nodes", 503, noManager],
  ["GET /services/x", 503, noManager],
  ["GET /services/x/logs", 500, "Bad parameters: you must choose at least one stream"],
  ["GET /tasks/x/logs?stdout=1", 503, noManager],
  ["GET /secrets?filters=x", 400, "invalid filter"],
  ["GET /configs/x", 503, noManager],
  ["POST /swarm/leave", 503, "This node is not part of a swarm"],
  ["POST /swarm/update", 400, noVersion("swarm")],
  ["POST /swarm/update?version=1", 503, noManager],
  ["POST /swarm/unlock", 503, noManager],
  ["POST /nodes/x/update", 400, noVersion("node")],
  ["POST /services/create", 503, noManager],
  ["POST /services/x/update", 400, noVersion("service")],
  ["POST /secrets/x/update", 400, "invalid secret version"],
  ["POST /configs/x/update", 400, "invalid config version"],
  ["POST /configs/x/update?version=1", 503, noManager],
  ["DELETE /nodes/x", 503, noManager],
  ["DELETE /configs/x", 503, noManager],
  ["DELETE /tasks/x", 404, "page not found"],
  ["POST /nodes/x", 404, "page not found"],
  ["GET /swarm/x", 404, "page not found"],
];

/** Recorded from dockerd 28.5, which had no plugin. */
const pluginAnswers: readonly (readonly [string, number, string])[] = [
  ['GET /plugins?filters={"foo":["a"]}', 400, "invalid filter 'foo'"],
  ['GET /plugins?filters={"enabled":["x"]}', 400, "invalid filter 'enabled=[x]'"],
  ["GET /plugins/privileges", 500, "invalid reference format"],
  ["GET /plugins/a/b/json", 404, 'plugin "a/b" not found'],
  ["POST /plugins/a/b/enable", 500, 'strconv.Atoi: parsing "": invalid syntax'],
  ["POST /plugins/a/b/enable?timeout=1", 404, 'plugin "a/b" not found'],
  ["POST /plugins/nope/disable", 404, 'plugin "nope" not found'],
  ["POST /plugins/nope/push", 404, 'plugin "nope" not found'],
  ["POST /plugins/nope/set", 404, 'plugin "nope" not found'],
  ["POST /plugins/nope/upgrade", 500, "invalid reference format"],
  ["POST /plugins/nope/upgrade?remote=x", 404, 'plugin "nope:latest" not found'],
  ["DELETE /plugins/nope", 404, 'plugin "nope" not found'],
];

test.each([
  ["a swarm", swarmAnswers],
  ["plugins", pluginAnswers],
])("questions about %s are answered as by a dockerd that has none", async (_, answers) => {
  await using server = await testServer();
  const seen: [string, number, unknown][] = [];
  for (const [request] of answers) {
    const [method = "", path = ""] = request.split(" ");
    const { status, json } = await server.call(method, path);
    seen.push([request, status, (json as { message?: string }).message]);
  }
  expect(seen).toEqual(answers.map(([...each]) => each));
});

test("no plugins are listed, and what would need one or a swarm is refused by name", async () => {
  await using server = await testServer();
  expect(await server.call("GET", "/plugins")).toMatchObject({ status: 200, json: [] });
  expect(await server.call("POST", "/plugins/pull?remote=x/y", [])).toMatchObject({
    status: 501,
    json: { message: "plugins in images are not supported" },
  });
  expect(await server.call("POST", "/swarm/init", { ListenAddr: "0.0.0.0" })).toMatchObject({
    status: 501,
    json: { message: "swarm mode is not supported: this engine serves its own machine" },
  });
});
