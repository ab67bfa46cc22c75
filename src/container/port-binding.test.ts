import { expect, test } from "bun:test";
import { exposedPorts, parsePortBindings, wantedPorts } from "./port-binding.ts";

const exposed = (...ports: string[]) => ({
  ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
});

test("bindings: an address, a port or a range of the host, or any", () => {
  expect(
    parsePortBindings({
      "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }, { HostPort: "8000-8002" }],
      "53/UDP": [{ HostIp: "::1", HostPort: "0" }, {}],
      "90/sctp": null,
    }),
  ).toEqual([
    {
      protocol: "tcp",
      containerPort: 80,
      bindings: [
        { hostIp: "127.0.0.1", range: { first: 8080, last: 8080 } },
        { hostIp: "", range: { first: 8000, last: 8002 } },
      ],
    },
    { protocol: "udp", containerPort: 53, bindings: [{ hostIp: "::1" }, { hostIp: "" }] },
    { protocol: "sctp", containerPort: 90, bindings: [] },
  ]);
});

test.each([
  [{ "80/tcp": [{ HostPort: "abc" }] }, 'invalid port specification: "abc"'],
  [{ "80/tcp": [{ HostPort: "8002-8000" }] }, 'invalid port specification: "8002-8000"'],
  [{ "80/tcp": [{ HostPort: "70000" }] }, 'invalid port specification: "70000"'],
  [{ "80/tcp": [{ HostPort: "1-2-3" }] }, 'invalid port specification: "1-2-3"'],
  [{ "80-82/tcp": [{ HostPort: "8000" }] }, 'invalid port specification: "80-82"'],
  [{ "abc/tcp": [{ HostPort: "8000" }] }, 'invalid port specification: "abc"'],
  [{ "80/tcp": [{ HostIp: "here" }] }, "invalid IP address: here"],
  [{ "80/tcp": [{ HostIp: "fe80::1%eth0" }] }, "invalid IP address: fe80::1%eth0"],
])("%j is refused", (sent, message) => {
  expect(() => parsePortBindings(sent)).toThrow(message);
});

test("exposed ports are published where they are bound or, with -P, anywhere", () => {
  const config = exposed("443", "80/tcp", "53/udp", "90-91/tcp");
  const PortBindings = parsePortBindings({
    "80/tcp": [{ HostPort: "8080" }],
    "81/tcp": [{ HostPort: "8081" }],
  });
  const web = {
    ...{ protocol: "tcp" as const, containerPort: 80, hostIp: "" },
    range: { first: 8080, last: 8080 },
  };
  expect(wantedPorts(config, { PortBindings, PublishAllPorts: false })).toEqual([web]);
  expect(wantedPorts(config, { PortBindings, PublishAllPorts: true })).toEqual([
    { protocol: "udp", containerPort: 53, hostIp: "" },
    web,
    { protocol: "tcp", containerPort: 443, hostIp: "" },
  ]);
  expect(exposedPorts(config)).toHaveLength(3);
});
