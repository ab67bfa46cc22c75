import { expect, test } from "bun:test";
import { type ImageConfig, parseImageConfig } from "#image";
import { compareConfigs } from "./compare-configs.ts";

function image(config: object, more: object = {}): ImageConfig {
  const whole = { architecture: "amd64", os: "linux", rootfs: { type: "layers" }, config, ...more };
  return parseImageConfig(Buffer.from(JSON.stringify(whole)));
}

test("variables, labels, ports and volumes are compared one by one", () => {
  const from = image({
    Env: ["PATH=/bin", "A=1", "SAME=x=y"],
    Labels: { a: "1", same: "s" },
    ExposedPorts: { "80/tcp": {} },
    Volumes: { "/data": {} },
  });
  const to = image({
    Env: ["SAME=x=y", "PATH=/usr/bin", "B=2"],
    Labels: { a: "2", same: "s" },
    ExposedPorts: { "443/tcp": {} },
    Volumes: { "/data": {} },
  });
  expect(compareConfigs(from, to)).toEqual([
    { field: "Env.A", from: "1" },
    { field: "Env.B", to: "2" },
    { field: "Env.PATH", from: "/bin", to: "/usr/bin" },
    { field: "ExposedPorts.443/tcp", to: "" },
    { field: "ExposedPorts.80/tcp", from: "" },
    { field: "Labels.a", from: "1", to: "2" },
  ]);
});

test("commands, platform and user; nothing said is as good as null or none", () => {
  const from = image({ Cmd: ["sh"], User: "", Entrypoint: null, WorkingDir: "/" });
  const to = image({ Cmd: ["sh", "-c"], User: "app", WorkingDir: "/" }, { architecture: "arm64" });
  expect(compareConfigs(from, to)).toEqual([
    { field: "Cmd", from: '["sh"]', to: '["sh","-c"]' },
    { field: "User", to: "app" },
    { field: "architecture", from: "amd64", to: "arm64" },
  ]);
  expect(compareConfigs(from, from)).toEqual([]);
});

test("times and history are no differences", () => {
  const later = image({}, { created: "2024-01-01T00:00:00Z", history: [{ empty_layer: true }] });
  expect(compareConfigs(image({}), later)).toEqual([]);
});
