import { expect, test } from "bun:test";
import { withoutPorts, withPorts } from "./port-change.ts";

const sent = (PortBindings: object, ExposedPorts: object = {}) =>
  ({ Config: { Image: "x", ExposedPorts }, HostConfig: { PortBindings } }) as Parameters<
    typeof withPorts
  >[0];
const at = (HostPort: string, HostIp = "") => ({ HostIp, HostPort });

test("ports are added to those that are there, however their names are written", () => {
  const before = sent({ "80": [at("8080")] }, { "80/TCP": {} });
  const after = withPorts(before, { "80/tcp": [at("8081")], "53/udp": [at("")] });
  expect(after.HostConfig.PortBindings).toEqual({
    "80": [at("8080"), at("8081")],
    "53/udp": [at("")],
  });
  expect(Object.keys(after.Config.ExposedPorts ?? {})).toEqual(["80/TCP", "53/udp"]);
  expect(() => withPorts(before, { "80-90/tcp": [at("")] })).toThrow("invalid port specification");
});

const published = (hostPort: number, hostIp = "0.0.0.0", containerPort = 80) =>
  ({ protocol: "tcp", containerPort, hostIp, hostPort }) as const;

test("what was published to any port is taken back by the port that it got", () => {
  const before = sent({ "80/tcp": [at(""), at(""), at("9000-9010")] });
  const ports = [published(40_000), published(40_001), published(9003)];
  const first = withoutPorts(before, { "80/tcp": [at("40001")] }, ports);
  expect(first.removed).toEqual([published(40_001)]);
  expect(first.sent.HostConfig.PortBindings).toEqual({ "80/tcp": [at(""), at("9000-9010")] });
  const second = withoutPorts(before, { "80/tcp": [at("9003")] }, ports);
  expect(second.sent.HostConfig.PortBindings?.["80/tcp"]).toHaveLength(2);
  expect(withoutPorts(before, { "80/tcp": [at("")] }, ports)).toMatchObject({
    sent: { HostConfig: { PortBindings: {} } },
    removed: ports,
  });
});

test("an address says which of several goes, and one of all addresses goes as a whole", () => {
  const before = sent({ "80/tcp": [at("8080", "127.0.0.1"), at("8080", "192.0.2.1"), at("81")] });
  const ports = [
    published(8080, "127.0.0.1"),
    published(8080, "192.0.2.1"),
    published(81),
    published(81, "::"),
  ];
  const one = withoutPorts(before, { "80": [at("8080", "127.0.0.1")] }, ports);
  expect(one.removed).toEqual([published(8080, "127.0.0.1")]);
  const all = withoutPorts(before, { "80": [at("81", "0.0.0.0")] }, ports);
  expect(all.removed).toEqual([published(81), published(81, "::")]);
  for (const wrong of [at("8081"), at("81", "127.0.0.1")])
    expect(() => withoutPorts(before, { "80/tcp": [wrong] }, ports)).toThrow("is not published");
  expect(() => withoutPorts(sent({}), { "80/tcp": [at("")] }, [published(4)])).toThrow("-P");
});
