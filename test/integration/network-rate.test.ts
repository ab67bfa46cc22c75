/** The rate of an endpoint: what its container sends and gets is limited. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Endpoint, type Networks, openNetworks, setNetworkFault } from "#network";
import { openState, type State } from "#state";
import { outcome } from "../../src/base/testing.ts";
import { enter, inside } from "../support/namespace.ts";

let state: State;
let networks: Networks;

beforeAll(async () => {
  const runRoot = `/tmp/rate-test-${process.pid}`;
  state = openState(":memory:");
  networks = await openNetworks({ instanceId: runRoot, runRoot, state });
});

afterAll(async () => {
  await networks.close({ removeBridges: true });
  state.close();
});

const BYTES = 1_500_000;

/** How long a container takes to send these bytes to another, in milliseconds. */
async function transfer(from: Endpoint, to: Endpoint): Promise<number> {
  const script = `
    let got = 0;
    Bun.listen({ hostname: "0.0.0.0", port: 9000, socket: {
      data(socket, data) { got += data.length; if (got === ${BYTES}) process.exit(0); } } });
    console.log("ready");`;
  const server = Bun.spawn(enter(to.netns, process.execPath, "-e", script), { stdout: "pipe" });
  await server.stdout.getReader().read();
  const begun = performance.now();
  const send = `head -c ${BYTES} /dev/zero | busybox nc ${to.address} 9000`;
  const sent = inside(from.netns, "sh", "-c", send);
  expect(await server.exited).toBe(0);
  await sent;
  return performance.now() - begun;
}

test("a container with a rate sends no faster, and gets nothing faster", async () => {
  const wish = { link: "eth0", isGateway: true, rate: 1_000_000 };
  const limited = await networks.attach("bridge", wish);
  const free = await networks.attach("bridge");
  // A burst and a queue aside, it takes one and a half seconds at the least.
  expect(await transfer(limited, free)).toBeGreaterThan(1200);
  expect(await transfer(free, limited)).toBeGreaterThan(1200);
  // A delay has no place beside it, and leaves it as it is.
  const fault = { lossPercent: 0, delayMs: 50, partition: [] };
  expect(await outcome(setNetworkFault(limited.netns, fault))).toThrow(
    /has a queue already|sch_netem/,
  );
  expect(await transfer(limited, free)).toBeGreaterThan(1200);
  for (const each of [limited, free]) networks.release(each);
}, 600_000);
