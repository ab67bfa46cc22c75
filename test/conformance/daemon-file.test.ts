/**
 * The engine's configuration file, by the real docker CLI: what it says holds for containers, and a
 * SIGHUP has it read again.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot || process.env.DOCKER_HOST !== undefined);

here("the configuration file [needs docker CLI]", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-file-"));
  const path = join(directory, "daemon.json");
  const file = {
    labels: ["place=here"],
    "log-driver": "local",
    "log-opts": { "max-size": "1m" },
    "default-ulimits": { nofile: { Name: "nofile", Soft: 333, Hard: 444 } },
    "default-shm-size": "32M",
    dns: ["192.0.2.53"],
    bip: "10.213.7.1/24",
    "fixed-cidr": "10.213.7.128/25",
    "default-gateway": "10.213.7.9",
    ipv6: true,
    bip6: "fd77:7::7/64",
    "fixed-cidr-v6": "fd77:7::1:0/112",
    "default-gateway-v6": "fd77:7::fe",
    mtu: 1380,
    "default-address-pools": [{ base: "10.214.0.0/16", size: 26 }],
  };
  let target: DockerTarget;
  beforeAll(async () => {
    writeFileSync(path, JSON.stringify(file));
    target = await openDockerTarget({ daemonFlags: ["--config-file", path] });
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test("is shown by info, and holds for containers that say nothing else", async () => {
    expect(await target.ok(["info", "-f", "{{.Labels}} {{.LoggingDriver}}"])).toBe(
      "[place=here] local",
    );
    const name = target.name();
    const script =
      "ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1; cat /sys/class/net/eth0/mtu; ip -4 -o addr show eth0; ip route";
    const output = await target.ok(["run", "--name", name, image, "sh", "-c", script]);
    expect(output).toMatch(/^333\n444\nshm +32768 /);
    expect(output).toMatch(/\n1380\n/);
    expect(output).toMatch(/inet 10\.213\.7\.(128|129|1[3-9]\d|2\d\d)\/24/);
    expect(output).toContain("default via 10.213.7.9 ");
    const format = "{{json .HostConfig.LogConfig}} {{.HostConfig.ShmSize}}";
    expect(await target.ok(["inspect", "-f", format, name])).toBe(
      '{"Type":"local","Config":{"max-size":"1m"}} 33554432',
    );
    const own = ["run", "--rm", "--ulimit", "nofile=99:99", "--shm-size", "8m", image, "sh", "-c"];
    expect(await target.ok([...own, "ulimit -n; df -k /dev/shm | tail -1"])).toMatch(
      /^99\nshm +8192 /,
    );
  });

  test("gives the default network IPv6", async () => {
    const format = "{{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{end}}";
    expect(await target.ok(["network", "inspect", "-f", format, "bridge"])).toBe(
      "true 10.213.7.0/24 fd77:7::/64",
    );
    const script = "ip -6 -o addr show eth0; ip -6 route; ping -6 -c 1 fd77:7::7";
    const output = await target.ok(["run", "--rm", image, "sh", "-c", script]);
    expect(output).toMatch(/inet6 fd77:7::1:[0-9a-f]+\/64/);
    expect(output).toContain("default via fd77:7::fe ");
    expect(output).toContain("1 packets received");
  });

  test("gives networks their addresses", async () => {
    const name = target.name();
    await target.ok(["network", "create", name]);
    const subnet = await target.ok([
      "network",
      "inspect",
      "-f",
      "{{(index .IPAM.Config 0).Subnet}}",
      name,
    ]);
    await target.ok(["network", "rm", name]);
    expect(subnet).toMatch(/^10\.214\.\d+\.\d+\/26$/);
  });

  test("is read again on SIGHUP, with an event, and a wrong one changes nothing", async () => {
    const pid = Number(readFileSync(join(target.directory, "run/engine.pid"), "utf8"));
    const events = target.session(["events", "--filter", "type=daemon", "--since", "1"]);
    writeFileSync(
      path,
      JSON.stringify({ ...file, labels: ["place=there"], "max-concurrent-downloads": 9 }),
    );
    process.kill(pid, "SIGHUP");
    expect(await events.until("max-concurrent-downloads=9")).toMatch(
      /daemon reload .*labels=\["place=there"\].*max-concurrent-downloads=9/,
    );
    expect(await target.ok(["info", "-f", "{{.Labels}}"])).toBe("[place=there]");
    writeFileSync(path, JSON.stringify({ ...file, "log-driver": "nonsense" }));
    process.kill(pid, "SIGHUP");
    writeFileSync(path, JSON.stringify({ ...file, labels: ["place=last"] }));
    process.kill(pid, "SIGHUP");
    await events.until("place=last");
    events.signal("SIGTERM");
    expect(await target.ok(["info", "-f", "{{.LoggingDriver}}"])).toBe("local");
  });
});
