/**
 * What a test suite does with testcontainers, as a program of its own: the library takes the engine
 * from the environment of its process. Its argument is the image to run. Prints what it saw.
 */

import { GenericContainer, Network, Wait } from "testcontainers";

const [image = ""] = process.argv.slice(2);
const seen: Record<string, unknown> = {};

const network = await new Network().start();
const web = await new GenericContainer(image)
  .withCommand(["httpd", "-f", "-p", "80", "-h", "/tmp"])
  .withCopyContentToContainer([{ content: "hello", target: "/tmp/index.html" }])
  .withExposedPorts(80)
  .withNetwork(network)
  .withNetworkAliases("web")
  .withWaitStrategy(Wait.forHttp("/index.html", 80))
  .start();
const url = `http://${web.getHost()}:${web.getMappedPort(80)}/index.html`;
seen.served = await (await fetch(url)).text();

const client = await new GenericContainer(image)
  .withCommand(["sh", "-c", "echo ready; sleep 1000"])
  .withEnvironment({ WHO: "client" })
  .withNetwork(network)
  .withWaitStrategy(Wait.forLogMessage("ready"))
  .start();
seen.fetched = (await client.exec(["wget", "-q", "-O", "-", "http://web/index.html"])).output;
seen.environment = (await client.exec(["sh", "-c", "echo $WHO; exit 3"])).exitCode;
await client.copyContentToContainer([{ content: "late", target: "/tmp/late" }]);
seen.copied = (await client.exec(["cat", "/tmp/late"])).stdout;
const logs = await client.logs();
seen.log = await new Promise((resolve) => logs.once("data", (line) => resolve(`${line}`.trim())));
logs.destroy();

const healthy = await new GenericContainer(image)
  .withCommand(["sh", "-c", "sleep 0.2; touch /tmp/ok; sleep 1000"])
  .withHealthCheck({ test: ["CMD-SHELL", "test -e /tmp/ok"], interval: 100, retries: 100 })
  .withWaitStrategy(Wait.forHealthCheck())
  .start();
seen.health = (await healthy.exec(["ls", "/tmp"])).stdout.trim();

const listening = await new GenericContainer(image)
  .withCommand(["httpd", "-f", "-p", "8080"])
  .withExposedPorts(8080)
  .withWaitStrategy(Wait.forListeningPorts())
  .start();
await listening.restart({ timeout: 0 });
seen.restarted = listening.getMappedPort(8080) > 0;

for (const container of [web, client, healthy, listening]) await container.stop({ timeout: 0 });
await network.stop();
console.log(JSON.stringify(seen));
