/**
 * The same flags make the same request: the docker CLI and `thimble`, before a server
 * that keeps what it is asked and refuses it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { runCli } from "#cli";
import { testOptions } from "../../src/cli/testing.ts";

const docker = Bun.which("docker");

/** In this directory lie `env`, `labels` and `profile.json`. */
const lines = [
  "run img",
  "run img true -a --rm",
  "run -d img",
  "run -itd img",
  "run --rm=false -i=true img",
  "run -a stdin -a STDERR -i img",
  "run -e A=1 -e FOO -e NOPE -eB=2 -e=C=3 img",
  "run --env-file env -e Z=1 img",
  "run -l a=b -l c --label-file labels img",
  "run -v /a:/b -v /c:/d:ro -v ./rel:/r -v vol:/v -v /anon img",
  "run --mount type=bind,source=/a,target=/b,readonly img",
  "run --mount type=bind,src=./x,dst=/b,bind-propagation=rslave,bind-recursive=disabled img",
  "run --mount type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1770 img",
  "run --tmpfs /x --tmpfs /y:rw,size=1m img",
  "run -m 64m --memory-swap -1 --memory-reservation 32m --memory-swappiness 50 img",
  "run --cpus 1.5 -c 512 --cpuset-cpus 0-1 --cpuset-mems 0 --pids-limit 10 img",
  "run --cpu-period 1000 --cpu-quota 500 --blkio-weight 100 img",
  "run --cap-add net_admin --cap-drop ALL --privileged img",
  "run --init img",
  "run --init=false img",
  "run --entrypoint /bin/sh img -c true",
  "run --entrypoint= img",
  "run -w /x -u 1:2 -h host --domainname d --name n img",
  "run --stop-signal SIGUSR1 --stop-timeout 5 img",
  "run --ulimit nofile=1024:2048 --ulimit core=0 --ulimit nproc=-1 img",
  "run --sysctl net.ipv4.ip_forward=1 img",
  "run --device /dev/null --device /dev/zero:/dev/z:r --device /dev/fuse:rw img",
  "run --device vendor.com/net=nic0 --device /dev/null img",
  "run --device-read-bps /dev/sda:1mb --device-write-iops /dev/sdb:30 --blkio-weight-device /dev/sda:100 img",
  "run --device-write-bps /dev/sda:2g --device-read-iops /dev/sda:9 --cpu-rt-period 5 --cpu-rt-runtime 3 img",
  "run --gpus all img",
  "run --gpus 2 img",
  "run --gpus device=0 img",
  'run --gpus "device=0,1","capabilities=compute,utility" img',
  "run --gpus driver=nvidia img",
  "run --group-add video --group-add 5 img",
  "run --security-opt no-new-privileges --security-opt seccomp=unconfined img",
  "run --security-opt seccomp=profile.json --security-opt label:disable img",
  "run --security-opt systempaths=unconfined img",
  "run --shm-size 128m --oom-score-adj 500 --oom-kill-disable img",
  "run --ipc host --pid host --uts host --cgroupns private --userns host img",
  "run --log-driver json-file --log-opt max-size=1m --log-opt max-file=3 img",
  "run --restart on-failure:3 img",
  "run -p 8080:80 -p 127.0.0.1:53:53/udp -p 443 img",
  "run -p 8000-8002:80-82 -p 9000-9002:90 img",
  "run -P --expose 90 --expose 91-92/udp img",
  "run --network none img",
  "run --net container:abc img",
  "run --network foo --network-alias x --ip 1.2.3.4 img",
  "run --network name=foo,alias=a,alias=b img",
  "run --add-host a:1.2.3.4 --add-host b=::1 --add-host c:[::1] img",
  "run --dns 1.1.1.1 --dns-search example.org --dns-option ndots:1 img",
  "run --health-cmd x --health-interval 10s --health-retries 3 --health-timeout 1m30s img",
  "run --no-healthcheck --read-only img",
  "run --link a:b --annotation a=b --runtime runsc --volumes-from x --storage-opt size=1g img",
  "run --cgroup-parent /x --platform linux/amd64 --pull never img",
  "run --mac-address 92:d0:c6:0a:29:33 img",
  "create -t --rm img cmd",
  "run -m 4g -- img -x",
];

describe.skipIf(!docker)("the same request as docker's [needs docker CLI]", () => {
  const directory = mkdtempSync("/tmp/thimble-same-");
  const socket = join(directory, "record.sock");
  const env = { DOCKER_HOST: `unix://${socket}`, FOO: "from here", PATH: process.env.PATH ?? "" };
  const before = process.cwd();
  let server: Server;
  let asked: unknown;

  beforeAll(async () => {
    writeFileSync(join(directory, "env"), "A=1\n# c\n  B=2 3\nFOO\nNOPE\n\nC=\n");
    writeFileSync(join(directory, "labels"), "l1=v1\nl2\n");
    writeFileSync(join(directory, "profile.json"), '{ "defaultAction": "SCMP_ACT_ALLOW" }\n');
    process.chdir(directory);
    server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      response.setHeader("Api-Version", "1.51");
      response.setHeader("OSType", "linux");
      response.setHeader("Content-Type", "application/json");
      if (!request.url?.includes("/containers/create")) return response.end("OK");
      const path = request.url.replace(/^\/v[\d.]+/, "");
      asked = { path, body: withoutDefaults(JSON.parse(text)) };
      response.statusCode = 500;
      return response.end('{"message":"kept"}');
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  });
  afterAll(() => {
    server.close();
    process.chdir(before);
    rmSync(directory, { recursive: true });
  });

  test.each(lines)("%s", async (line) => {
    const words = line.split(" ");
    const child = Bun.spawn([docker ?? "", ...words], { env, stderr: "pipe", stdin: "ignore" });
    const status = await child.exited;
    const theirs = asked;
    asked = undefined;
    const { options, stderr } = testOptions({ env });
    expect(await runCli(words, options)).toBe(status);
    expect(stderr.text).toContain("Error response from daemon: kept");
    expect(theirs).toBeDefined();
    expect(asked).toEqual(theirs as object);
  });
});

const anyOrder = new Set(["Env", "Binds"]);

/**
 * A body without what means nothing: docker writes zeroes, empty lists and nulls out,
 * -1 for a swappiness that was not given, and 0 by 0 for a terminal that is none. What
 * goes through a map of docker's comes out in any order.
 */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item) ?? {});
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value)
    .filter(([key, item]) => !(key === "MemorySwappiness" && item === -1))
    .filter(([key, item]) => !(key === "ConsoleSize" && String(item) === "0,0"))
    .map(
      ([key, item]) => [key, anyOrder.has(key) ? item?.toSorted() : withoutDefaults(item)] as const,
    )
    .filter(([, item]) => item && !(Array.isArray(item) && item.length === 0));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
