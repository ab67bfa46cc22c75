import { expect, test } from "bun:test";
import type { SandboxId } from "#base";
import { createRequest } from "../../test/support/create-request.ts";
import { createFakeEngine } from "../../test/support/fake-engine.ts";
import { inspectContainer } from "./container-inspect.ts";

const attachment = {
  network: "bridge",
  networkId: "n1",
  endpointId: "e1",
  address: "172.20.0.2",
  prefixLength: 16,
  gateway: "172.20.0.1",
  address6: "fd00::2",
  prefixLength6: 64,
  gateway6: "fd00::1",
  mac: "02:42:ac:14:00:02",
  link: "eth0",
  settings: {},
  names: ["web"],
};

test("inspect lists every network, and the default one in Docker's old fields too", async () => {
  const engine = createFakeEngine();
  const { id } = await engine.containers.create(createRequest("busybox:test", ["true"]));
  const container = engine.containers.get(id);
  const second = { ...attachment, network: "back", networkId: "n2", address: "10.77.3.2" };
  const shown = inspectContainer({
    ...container,
    state: { ...container.state, status: "running", pid: 42 },
    networks: [second, attachment],
    bridge: "br0",
    sandboxId: "s1" as SandboxId,
  }).NetworkSettings;
  expect(shown).toMatchObject({
    Bridge: "br0",
    SandboxID: "s1",
    SandboxKey: "/proc/42/ns/net",
    IPAddress: "172.20.0.2",
    GlobalIPv6Address: "fd00::2",
    GlobalIPv6PrefixLen: 64,
    IPv6Gateway: "fd00::1",
    EndpointID: "e1",
    Networks: {
      back: {
        NetworkID: "n2",
        IPAddress: "10.77.3.2",
        GlobalIPv6Address: "fd00::2",
        GlobalIPv6PrefixLen: 64,
        IPv6Gateway: "fd00::1",
      },
      bridge: { NetworkID: "n1", EndpointID: "e1", IPPrefixLen: 16, Gateway: "172.20.0.1" },
    },
  });
  expect(inspectContainer({ ...container, networks: [] }).NetworkSettings).toMatchObject({
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    IPAddress: "",
    Networks: {},
  });
});
