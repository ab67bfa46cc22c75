/** The resolver as containers have it: at port 53 of 127.0.0.11, over the lives of engine and resolver. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findResolver, openHelper, openResolver } from "#helper";
import {
  type Fd,
  newNetworkNamespace,
  pidfdOpen,
  pidfdSendSignal,
  RouteTable,
  setLinkUp,
} from "#kernel";
import { ContainerNames, type NamedContainer } from "../../src/network/container-names.ts";
import { enter, inside } from "../support/namespace.ts";

const LOOPBACK = 1;
const SIGKILL = 9;
const SIGSTOP = 19;
const helper = openHelper();

let root: string;
let spaces: Map<string, Fd>;
let names: ContainerNames;

function open(): ContainerNames {
  return new ContainerNames({
    open: () => openResolver(helper, join(root, "dns"), { patienceMs: 6000 }),
    find: () => findResolver(join(root, "dns")),
    openNamespace: (id) => spaces.get(id)?.duplicate(),
    hostResolvConf: () => "",
    retryMs: 50,
  });
}

const container = (
  id: string,
  address: string,
  more: Partial<NamedContainer> = {},
): NamedContainer => ({
  id,
  endpoints: [{ id: `endpoint-${id}`, network: "front", ipv4: address, names: [id] }],
  asksOutside: false,
  dns: [],
  links: [],
  ...more,
});

async function add(made: NamedContainer): Promise<void> {
  const netns = await newNetworkNamespace();
  await new RouteTable({ netns }).apply(setLinkUp(LOOPBACK));
  spaces.set(made.id, netns);
  await names.add(made, netns);
}

/** What a program in the container finds; "" for a name that does not exist. */
async function look(id: string, name: string): Promise<string> {
  const script = `
    const { Resolver } = require("node:dns").promises;
    const resolver = new Resolver({ timeout: 2000, tries: 2 });
    resolver.setServers(["127.0.0.11"]);
    resolver.resolve4(${JSON.stringify(name)}).then(
      (found) => console.log(found.join(" ")),
      (error) => console.log(error.code === "ENOTFOUND" ? "" : error.code),
    );`;
  return await inside(spaces.get(id) as Fd, process.execPath, "-e", script);
}

beforeEach(() => {
  root = mkdtempSync("/run/thimble-names-");
  spaces = new Map();
  names = open();
});

afterEach(async () => {
  await names.close({ quit: true });
  for (const netns of spaces.values()) netns.close();
  rmSync(root, { recursive: true });
});

test("containers of a network find each other from their start to their end", async () => {
  await add(container("web", "10.0.0.2"));
  await add(container("db", "10.0.0.3", { links: [["site", "web"]] }));
  expect(await look("web", "db")).toBe("10.0.0.3");
  expect(await look("db", "site")).toBe("10.0.0.2");
  await names.remove("db");
  expect(await look("web", "db")).toBe("");
});

test("one that joins another network is found there, and no more where it left", async () => {
  await add(container("web", "10.0.0.2"));
  await add(container("db", "10.0.0.3"));
  const back = { id: "moved", network: "back", ipv4: "10.1.0.3", names: ["db"] };
  await names.change(container("db", "", { endpoints: [back] }));
  expect(await look("web", "db")).toBe("");
  expect(await look("db", "db")).toBe("10.1.0.3");
});

test("a name server in the container may have port 53", async () => {
  await add(container("web", "10.0.0.2"));
  const script = `
    const socket = require("node:dgram").createSocket("udp4");
    socket.on("error", (error) => console.log(error.code));
    socket.bind(53, "0.0.0.0", () => { console.log("bound"); socket.close(); });`;
  expect(await inside(spaces.get("web") as Fd, process.execPath, "-e", script)).toBe("bound");
});

test("names are answered while no engine is there, and by the next engine", async () => {
  await add(container("web", "10.0.0.2"));
  await add(container("gone", "10.0.0.9"));
  await names.close({ quit: false });
  expect(await look("web", "web")).toBe("10.0.0.2");
  names = open();
  await names.restore([container("web", "10.0.0.2")]);
  expect(await look("web", "web")).toBe("10.0.0.2");
  expect(await look("web", "gone")).toBe("");
  await add(container("db", "10.0.0.3"));
  expect(await look("web", "db")).toBe("10.0.0.3");
});

/** Sends a signal to one of the resolver's two processes. */
async function signal(which: "pid" | "brokerPid", number: number): Promise<void> {
  using resolver = await openResolver(helper, join(root, "dns"));
  using target = pidfdOpen((await resolver.status())[which]);
  pidfdSendSignal(target, number);
  if (number === SIGKILL) await resolver.closed;
}

/** Asks until the answer is as expected, at most ten times. */
async function finds(id: string, name: string, address: string): Promise<boolean> {
  for (let attempt = 0; attempt < 10; attempt++)
    if ((await look(id, name)) === address) return true;
  return false;
}

test("a resolver that is killed is replaced, and knows everybody", async () => {
  await add(container("web", "10.0.0.2"));
  await add(container("db", "10.0.0.3"));
  await signal("pid", SIGKILL);
  expect(await finds("web", "db", "10.0.0.3")).toBe(true);
});

test.each(["pid", "brokerPid"] as const)(
  "a resolver whose process (%s) was stopped is replaced while a container starts",
  async (which) => {
    await add(container("web", "10.0.0.2"));
    await signal(which, SIGSTOP);
    await add(container("db", "10.0.0.3"));
    expect(await finds("db", "web", "10.0.0.2")).toBe(true);
    expect(await finds("web", "db", "10.0.0.3")).toBe(true);
  },
);

test("a resolver that was stopped is replaced though no container starts", async () => {
  await add(container("web", "10.0.0.2"));
  await signal("pid", SIGSTOP);
  expect(await finds("web", "web", "10.0.0.2")).toBe(true);
});

test("the next engine replaces a resolver that was stopped", async () => {
  await add(container("web", "10.0.0.2"));
  await names.close({ quit: false });
  await signal("brokerPid", SIGSTOP);
  names = open();
  await names.restore([container("web", "10.0.0.2")]);
  expect(await finds("web", "web", "10.0.0.2")).toBe(true);
});

test("a container that leaves the resolver no port of its own takes the names of no other, and gets them when it has room", async () => {
  await add(container("greedy", "10.0.0.4"));
  await add(container("web", "10.0.0.2"));
  await add(container("db", "10.0.0.3"));
  const script = `
    require("node:fs").writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", "60000 60001");
    const bind = (port) => new Promise((resolve) =>
      require("node:dgram").createSocket("udp4").bind(port, "127.0.0.11", resolve));
    Promise.all([bind(60000), bind(60001)]).then(() => console.log("taken"));`;
  const command = enter(spaces.get("greedy") as Fd, process.execPath, "-e", script);
  const greedy = Bun.spawn(command, { stdout: "pipe" });
  await greedy.stdout.getReader().read();
  await signal("pid", SIGKILL);
  expect(await finds("web", "db", "10.0.0.3")).toBe(true);
  expect(await look("web", "greedy")).toBe("10.0.0.4");
  greedy.kill();
  await greedy.exited;
  await inside(
    spaces.get("greedy") as Fd,
    ...["sh", "-c", "echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range"],
  );
  expect(await finds("greedy", "web", "10.0.0.2")).toBe(true);
});
