import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerCreateBody } from "#container";
import { createBody } from "./create-body.ts";
import { parseFlags } from "./parse-flags.ts";
import { runFlags } from "./table/create-flags.ts";
import { textSource } from "./testing.ts";

const directory = mkdtempSync("/tmp/thimble-create-");
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function body(line: string, size?: { rows: number; columns: number }): ContainerCreateBody {
  const words = line.split(" ").map((word) => word.replaceAll("~", " "));
  const input = parseFlags(runFlags, words, { interspersed: false });
  const stdin = { ...textSource(), size: () => size };
  return createBody({ env: { FOO: "from here" }, stdin }, input);
}

const host = (line: string) => body(line).HostConfig ?? {};

const gpus = (more: object) => ({
  ...{ Driver: "", Count: 0, DeviceIDs: null, Capabilities: [["gpu"]], Options: {} },
  ...more,
});

describe("what is attached", () => {
  const streams = (line: string) => {
    const { AttachStdin, AttachStdout, AttachStderr, OpenStdin, StdinOnce, Tty } = body(line);
    return { AttachStdin, AttachStdout, AttachStderr, OpenStdin, StdinOnce, Tty };
  };

  test("output, unless told otherwise", () => {
    expect(streams("img")).toEqual({
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      OpenStdin: false,
      StdinOnce: false,
      Tty: false,
    });
    expect(streams("-it img")).toMatchObject({ AttachStdin: true, StdinOnce: true, Tty: true });
    expect(streams("-i -a stdin img")).toMatchObject({ AttachStdin: true, AttachStdout: false });
    expect(streams("-a STDERR img")).toMatchObject({ AttachStdout: false, AttachStderr: true });
  });

  test("a terminal is given our size", () => {
    expect(body("-t img", { rows: 24, columns: 80 }).HostConfig?.ConsoleSize).toEqual([24, 80]);
    expect(body("img", { rows: 24, columns: 80 }).HostConfig?.ConsoleSize).toBeUndefined();
  });
});

describe("environment and labels", () => {
  test("files come before -e; names alone take their value from here", () => {
    const path = file("env", "\uFEFFA=1\r\n# comment\n  B=2 3\nFOO\nNOPE\n\nC=\n");
    expect(body(`--env-file ${path} -e Z=1 -e FOO -e GONE img`).Env).toEqual([
      "A=1",
      "B=2 3",
      "FOO=from here",
      "C=",
      "Z=1",
      "FOO=from here",
      "GONE",
    ]);
  });

  test("labels of files and flags", () => {
    const path = file("labels", "a=1\nb\n");
    expect(body(`--label-file ${path} -l a=2 -l c= img`).Labels).toEqual({ a: "2", b: "", c: "" });
  });

  test("a name with a space, or none, is refused with the file and line", () => {
    expect(() => body(`--env-file ${file("bad", "x y=1")} img`)).toThrow(
      "variable 'x y' contains whitespaces",
    );
    expect(() => body("-e =x img")).toThrow("invalid environment variable: =x");
    expect(() => body("--env-file /nonexistent img")).toThrow(
      "open /nonexistent: no such file or directory",
    );
  });
});

// Each was compared with what docker 28 sends for the same flags.
describe("host configuration", () => {
  const cases: [line: string, want: object][] = [
    ["img", { NetworkMode: "default", RestartPolicy: { Name: "no", MaximumRetryCount: 0 } }],
    ["-v /a:/b -v v:/c:ro img", { Binds: ["/a:/b", "v:/c:ro"] }],
    ["-v ./x:/r img", { Binds: [`${process.cwd()}/x:/r`] }],
    [
      "--mount type=bind,src=/a,dst=/b,ro,bind-propagation=rslave img",
      {
        Mounts: [
          {
            Type: "bind",
            Source: "/a",
            Target: "/b",
            ReadOnly: true,
            BindOptions: { Propagation: "rslave" },
          },
        ],
      },
    ],
    [
      "--mount type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1770 img",
      {
        Mounts: [
          { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 64 << 20, Mode: 0o1770 } },
        ],
      },
    ],
    [
      '--mount "type=bind","source=/a,b",target=/c img',
      { Mounts: [{ Type: "bind", Source: "/a,b", Target: "/c" }] },
    ],
    ["--tmpfs /x --tmpfs /y:rw,size=1m img", { Tmpfs: { "/x": "", "/y": "rw,size=1m" } }],
    [
      "-m 64m --memory-swap -1 --cpus 1.5 --pids-limit 10 img",
      { Memory: 64 << 20, MemorySwap: -1, NanoCpus: 1_500_000_000, PidsLimit: 10 },
    ],
    ["--cap-add net_admin --cap-drop ALL img", { CapAdd: ["CAP_NET_ADMIN"], CapDrop: ["ALL"] }],
    ["--init=false img", { Init: false }],
    [
      "--ulimit nofile=1024:2048 --ulimit core=0 img",
      {
        Ulimits: [
          { Name: "core", Soft: 0, Hard: 0 },
          { Name: "nofile", Soft: 1024, Hard: 2048 },
        ],
      },
    ],
    [
      "--device /dev/null --device /dev/zero:/dev/z:r --device /dev/fuse:rw img",
      {
        Devices: [
          { PathOnHost: "/dev/null", PathInContainer: "/dev/null", CgroupPermissions: "rwm" },
          { PathOnHost: "/dev/zero", PathInContainer: "/dev/z", CgroupPermissions: "r" },
          { PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rw" },
        ],
      },
    ],
    [
      "--device vendor.com/net=nic0 --device /dev/null img",
      {
        Devices: [
          { PathOnHost: "/dev/null", PathInContainer: "/dev/null", CgroupPermissions: "rwm" },
        ],
        DeviceRequests: [{ Driver: "cdi", DeviceIDs: ["vendor.com/net=nic0"] }],
      },
    ],
    ["--gpus all img", { DeviceRequests: [gpus({ Count: -1 })] }],
    ["--gpus 2 img", { DeviceRequests: [gpus({ Count: 2 })] }],
    ["--gpus driver=nvidia img", { DeviceRequests: [gpus({ Driver: "nvidia", Count: 1 })] }],
    [
      '--gpus "device=0,1","capabilities=compute,utility" img',
      {
        DeviceRequests: [
          gpus({ DeviceIDs: ["0", "1"], Capabilities: [["compute", "utility", "gpu"]] }),
        ],
      },
    ],
    [
      '--gpus count=2,"options=a=b,c" img',
      { DeviceRequests: [gpus({ Count: 2, Options: { a: "b", c: "" } })] },
    ],
    [
      "--device-read-bps /dev/sda:1mb --device-write-iops /dev/sdb:30 --blkio-weight-device /dev/sda:100 img",
      {
        BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 1 << 20 }],
        BlkioDeviceWriteIOps: [{ Path: "/dev/sdb", Rate: 30 }],
        BlkioWeightDevice: [{ Path: "/dev/sda", Weight: 100 }],
      },
    ],
    ["--security-opt label:disable img", { SecurityOpt: ["label:disable"] }],
    ["--security-opt systempaths=unconfined img", { MaskedPaths: [], ReadonlyPaths: [] }],
    ["--restart on-failure:3 img", { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } }],
    [
      "-p 127.0.0.1:8080:80/udp -p 443 img",
      {
        PortBindings: {
          "80/udp": [{ HostIp: "127.0.0.1", HostPort: "8080" }],
          "443/tcp": [{ HostIp: "", HostPort: "" }],
        },
      },
    ],
    [
      "-p 8000-8001:80-81 img",
      {
        PortBindings: {
          "80/tcp": [{ HostIp: "", HostPort: "8000" }],
          "81/tcp": [{ HostIp: "", HostPort: "8001" }],
        },
      },
    ],
    [
      "-p 8000-8002:80 img",
      { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8000-8002" }] } },
    ],
    [
      "--add-host a:1.2.3.4 --add-host b=::1 --add-host c:[::1] img",
      { ExtraHosts: ["a:1.2.3.4", "b:::1", "c:::1"] },
    ],
    ["--log-driver none img", { LogConfig: { Type: "none", Config: {} } }],
    ["--log-opt max-size=1m img", { LogConfig: { Type: "", Config: { "max-size": "1m" } } }],
    ["--net container:abc img", { NetworkMode: "container:abc" }],
    ["--network name=foo,alias=a img", { NetworkMode: "foo" }],
    ["--ipc host --pid host --uts host img", { IpcMode: "host", PidMode: "host", UTSMode: "host" }],
  ];
  test.each(cases)("%s", (line, want) => {
    expect(host(line)).toMatchObject(want);
  });

  test("a profile is read here and sent as compact text", () => {
    const path = file("seccomp.json", '{\n  "defaultAction": "SCMP_ACT_ALLOW"\n}\n');
    expect(host(`--security-opt seccomp=${path} img`).SecurityOpt).toEqual([
      'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
    ]);
  });
});

describe("the rest of the body", () => {
  test("command, entrypoint, user and all that", () => {
    expect(body("--entrypoint /bin/sh -u 1:2 -w /x -h box img -c true")).toMatchObject({
      Image: "img",
      Entrypoint: ["/bin/sh"],
      Cmd: ["-c", "true"],
      User: "1:2",
      WorkingDir: "/x",
      Hostname: "box",
    });
    expect(body("--entrypoint= img").Entrypoint).toEqual([""]);
    expect(body("img").Cmd).toBeUndefined();
  });

  test.each([
    [
      "--mount src=data,dst=/d,volume-nocopy,volume-label=a=b,volume-label=c img",
      { VolumeOptions: { DriverConfig: {}, NoCopy: true, Labels: { a: "b", c: "" } } },
    ],
    [
      "--mount type=volume,src=data,dst=/d,volume-driver=local,volume-opt=o=x=y,volume-subpath=s img",
      { VolumeOptions: { DriverConfig: { Name: "local", Options: { o: "x=y" } }, Subpath: "s" } },
    ],
    ["--mount src=data,dst=/d,volume-nocopy=0 img", { VolumeOptions: { NoCopy: false } }],
  ])("volumes of --mount: %s", (line, want) => {
    expect(body(line).HostConfig?.Mounts).toMatchObject([
      { Type: "volume", Source: "data", Target: "/d", ...want },
    ]);
  });

  test("a volume without a source, and ports to expose", () => {
    const made = body("-v /data -P --expose 90 --expose 91-92/udp img");
    expect(made.Volumes).toEqual({ "/data": {} });
    expect(made.ExposedPorts).toEqual({ "90/tcp": {}, "91/udp": {}, "92/udp": {} });
  });

  test("the health check", () => {
    expect(body("--health-cmd curl~x --health-interval 10s img").Healthcheck).toEqual({
      Test: ["CMD-SHELL", "curl x"],
      Interval: 10e9,
    });
    expect(body("--no-healthcheck img").Healthcheck).toEqual({ Test: ["NONE"] });
  });

  test("the endpoint's settings for a network", () => {
    const made = body("--network foo --network-alias x --ip 1.2.3.4 img");
    expect(made.NetworkingConfig?.EndpointsConfig).toEqual({
      foo: { Aliases: ["x"], IPAMConfig: { IPv4Address: "1.2.3.4" } },
    });
  });
});

describe("mistakes", () => {
  test.each([
    ["-v :/b img", "empty section between colons"],
    ["--mount foo img", "invalid field 'foo' must be a key=value pair"],
    ["--mount type=bind img", "target is required"],
    ["--mount type=,dst=/x img", "type is required"],
    [
      "--mount type=tmpfs,dst=/x,volume-nocopy img",
      "cannot mix 'volume-*' options with mount type 'tmpfs'",
    ],
    [
      "--mount type=volume,dst=/x,bind-propagation=rshared img",
      "cannot mix 'bind-*' options with mount type 'volume'",
    ],
    ["--mount type=bind,dst=/x,foo=bar img", "unexpected key 'foo'"],
    ["--mount type=tmpfs,dst=/x,tmpfs-mode=9 img", "invalid value for tmpfs-mode: 9"],
    ["--ulimit nofile=5:2 img", "soft limit must be less than or equal to hard limit: 5 > 2"],
    ["--ulimit foo img", "NAME=SOFT[:HARD]"],
    ["--device a:b:c:d img", "invalid device specification"],
    ["--device /dev/null:/x:q img", "invalid device specification"],
    ["--gpus foo img", 'invalid count (foo): value must be either "all" or an integer'],
    ["--gpus foo=1 img", "unexpected key 'foo' in 'foo=1'"],
    ["--gpus count=1,count=2 img", "gpu request key 'count' can be specified only once"],
    ["--security-opt foo img", 'invalid --security-opt: "foo"'],
    ["--security-opt seccomp=/none img", "opening seccomp profile /none: no such file"],
    ["--log-driver none --log-opt a=b img", "invalid logging opts for driver none"],
    ["--restart always --rm img", "cannot specify both --restart and --rm"],
    ["--restart on-failure:x img", "maximum retry count must be an integer"],
    ["-p foo img", "[IP:][HOST:]CONTAINER[/PROTOCOL]"],
    ["-p 8000-8002:80-81 img", "invalid ranges"],
    ["-p 80/icmp img", "invalid proto: icmp"],
    ["-p 99999:80 img", "invalid hostPort: 99999"],
    ["--add-host foo img", 'bad format for add-host: "foo"'],
    ["--dns foo img", "IP address is not correctly formatted: foo"],
    ["-a foo img", "valid streams are STDIN, STDOUT and STDERR"],
    ["--network name=,alias=x img", "network name/id is not specified"],
    ["--no-healthcheck --health-cmd x img", "conflicts with --health-* options"],
  ])("%s", (line, message) => {
    expect(() => body(line)).toThrow(message);
  });
});
