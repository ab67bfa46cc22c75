import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as kernel from "#kernel";
import { outcome, rejection } from "../../src/base/testing.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kernel-"));
});
afterEach(() => {
  // A mount left here would make this delete what is mounted.
  expect(kernel.mountTable().filter((entry) => entry.target.startsWith(root))).toEqual([]);
  rmSync(root, { recursive: true });
});

function directory(...names: string[]): string {
  const path = join(root, ...names);
  mkdirSync(path, { recursive: true });
  return path;
}

function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

/** An overlay of three lower layers, each with a file of its own and one that the uppermost wins. */
function layers(prefix: string): kernel.Mount {
  const lower = ["a", "b", "c"].map((name) => {
    const path = directory(prefix, name);
    writeFileSync(join(path, name), name);
    writeFileSync(join(path, "same"), name);
    return `lowerdir+=${path}`;
  });
  const [upper, work] = [directory(prefix, "upper"), directory(prefix, "work")];
  return {
    type: "overlay",
    source: "overlay",
    options: [...lower, `upperdir=${upper}`, `workdir=${work}`],
  };
}

describe("mounts", () => {
  test("an overlay from layers, gone after", async () => {
    const target = directory("target");
    {
      await using _mounted = await kernel.mountAll([layers("l")], target);
      expect(readdirSync(target).sort()).toEqual(["a", "b", "c", "same"]);
      expect(readFileSync(join(target, "same"), "utf8")).toBe("a");
      writeFileSync(join(target, "new"), "x");
      const entry = kernel.mountTable().find((each) => each.target === target);
      expect(entry?.type).toBe("overlay");
    }
    expect(readdirSync(target)).toEqual([]);
    expect(existsSync(join(root, "l/upper/new"))).toBe(true);
  });

  test("special characters in the paths of layers", async () => {
    const target = directory("target");
    await using _mounted = await kernel.mountAll([layers("a\\b,c:d e\\\\")], target);
    expect(readFileSync(join(target, "same"), "utf8")).toBe("a");
  });

  test("paths too long for fsconfig(2) go by mount(2), special characters and all", async () => {
    const target = directory("target");
    const mount = layers(`${"long:,\\".repeat(30)}/${"x".repeat(100)}`);
    await using _mounted = await kernel.mountAll([mount], target);
    expect(readFileSync(join(target, "same"), "utf8")).toBe("a");
  });

  test("a read-only bind, with the file system's options untouched", async () => {
    const [source, target] = [directory("source"), directory("target")];
    writeFileSync(join(source, "f"), "x");
    const bind = { type: "bind", source, options: ["rbind", "ro", "nosuid"] };
    await using _mounted = await kernel.mountAll([bind], target);
    expect(() => writeFileSync(join(target, "f"), "y")).toThrow("EROFS");
    writeFileSync(join(source, "f"), "y");
    const entry = kernel.mountTable().find((each) => each.target === target);
    expect(entry?.options).toEqual(expect.arrayContaining(["ro", "nosuid"]));
  });

  test("all or none, and the kernel's own words", async () => {
    const target = directory("target");
    const tmpfs = { type: "tmpfs", source: "tmpfs", options: ["size=1m", "nodev"] };
    const bad = { type: "overlay", source: "overlay", options: ["nonsense=1"] };
    expect(await outcome(kernel.mountAll([tmpfs, bad], target))).toThrow(
      /cannot mount overlay overlay on .*: overlay: Unknown parameter 'nonsense' \(fsmount: EINVAL\)/,
    );
    const unknown = { type: "nosuchfs", source: "x", options: [] };
    expect(await outcome(kernel.mountAll([unknown], target))).toThrow("ENODEV");
    expect(await outcome(kernel.unmount(target))).toThrow(`cannot unmount ${target}`);
  });

  test("a busy mount is let go of", async () => {
    const target = directory("target");
    const tmpfs = { type: "tmpfs", source: "tmpfs", options: [] };
    const mounted = await kernel.mountAll([tmpfs], target);
    writeFileSync(join(target, "f"), "x");
    using busy = kernel.openat2(undefined, join(target, "f"), { flags: kernel.O_RDONLY });
    expect(await outcome(kernel.unmount(target))).toThrow("in use");
    await mounted[Symbol.asyncDispose]();
    expect(kernel.readInto(busy, Buffer.alloc(1))).toBe(1);
  });

  test("a symbolic link is not followed when unmounting", async () => {
    const target = directory("target");
    await using _mounted = await kernel.mountAll(
      [{ type: "tmpfs", source: "tmpfs", options: [] }],
      target,
    );
    kernel.symlinkat(target, undefined, join(root, "link"));
    expect(await outcome(kernel.unmount(join(root, "link")))).toThrow("EINVAL");
  });
});

test("whiteouts and trusted attributes, also of symbolic links", () => {
  using at = kernel.openat2(undefined, root, { flags: kernel.O_PATH });
  kernel.mknodat(at, "gone", { mode: kernel.S_IFCHR, major: 0, minor: 0 });
  kernel.mknodat(at, "null", { mode: kernel.S_IFCHR | 0o666, major: 1, minor: 3 });
  expect(kernel.fstatat(at, "gone", false).rdev).toEqual({ major: 0, minor: 0 });
  expect(kernel.fstatat(at, "null", false).rdev).toEqual({ major: 1, minor: 3 });
  kernel.symlinkat("nowhere", at, "link");
  kernel.fchownat(at, "link", { uid: 12, gid: 34 });
  expect(kernel.fstatat(at, "link", false).uid).toBe(12);
  using link = kernel.openat2(at, "link", { flags: kernel.O_PATH | kernel.O_NOFOLLOW });
  kernel.setXattr(link, "", "trusted.a", Buffer.from("1"));
  kernel.setXattr(at, "link", "trusted.b", Buffer.from("2"));
  expect(kernel.listXattr(at, "link").sort()).toEqual(["trusted.a", "trusted.b"]);
});

test("requests go to one network namespace after the other, and what is asked for comes back", async () => {
  using here = await kernel.newNetworkNamespace();
  using there = await kernel.newNetworkNamespace();
  const peer = { name: "far", mac: "02:00:00:00:00:02", netns: there };
  const bridge = { name: "probe", mac: "02:00:00:00:00:01" };
  await kernel.applyInTurn({ netns: here, requests: [kernel.createBridge(bridge)] });
  const master = (await new kernel.RouteTable({ netns: here }).link("probe"))?.index ?? 0;
  const near = await kernel.applyInTurn(
    {
      netns: here,
      requests: [kernel.createVeth({ name: "near", master, peer }), kernel.getLink("near")],
    },
    { netns: there, requests: [kernel.getLink("far"), kernel.setLinkUp("far")] },
    { netns: here, requests: [kernel.setLinkUp("near"), kernel.getLink("probe")] },
  );
  expect(near.map(({ name, up }) => [name, up])).toEqual([
    ["near", false],
    ["far", false],
    ["probe", true],
  ]);
  // An interface of this process's own namespace, of which there is none by that name.
  const refused = kernel.applyInTurn(
    { netns: here, requests: [kernel.deleteLink("near")] },
    { requests: [kernel.getLink("near")] },
  );
  expect(await rejection(refused)).toMatchObject({ code: "not_found" });
  expect(await new kernel.RouteTable({ netns: there }).link("far")).toBeUndefined();
});

describe("nothing leaks", () => {
  test("descriptors of 1,000 children, channels and jobs", async () => {
    const round = async () => {
      const { program, argv } = { program: "/bin/true", argv: ["true"] };
      const [a, b] = kernel.socketPair();
      const child = kernel.spawn({ program, argv, env: {}, fds: [{ fd: b, as: 3 }] });
      b.close();
      const channel = kernel.openChannel(a);
      channel.onData(() => undefined);
      const ended = new Promise<void>((resolve) => channel.onEnd(() => resolve()));
      await Promise.all([child.exited, ended]);
      channel.close();
      using fd = kernel.openat2(undefined, root, { flags: kernel.O_RDONLY });
      await kernel.fsyncAsync(fd);
    };
    await round();
    const before = openFds();
    for (let i = 0; i < 1000; i++) await round();
    expect(openFds()).toBe(before);
  });

  test("network namespaces, and those that fail", async () => {
    const make = async () => {
      using netns = await kernel.newNetworkNamespace({ "net.ipv4.ip_forward": "1" });
      await new kernel.RouteTable({ netns }).links();
    };
    await make();
    const before = openFds();
    await Promise.all(Array.from({ length: 30 }, make));
    expect(await outcome(kernel.newNetworkNamespace({ "net.ipv4.ip_forward": "no" }))).toThrow(
      "cannot write /proc/sys/net/ipv4/ip_forward",
    );
    expect(openFds()).toBe(before);
    expect(await outcome(kernel.newNetworkNamespace({ "../etc/passwd": "x" }))).toThrow("EINVAL");
    // The threads that went into others are back in ours.
    using own = kernel.networkNamespaceOf("self");
    const inode = kernel.fstatat(own, "", false).ino;
    const seen = new Set(
      readdirSync("/proc/self/task").map((task) => {
        using ns = kernel.openat2(undefined, `/proc/self/task/${task}/ns/net`, { flags: 0 });
        return kernel.fstatat(ns, "", false).ino;
      }),
    );
    expect([...seen]).toEqual([inode]);
  });
});

describe("the life of the process", () => {
  const repository = join(import.meta.dir, "../..");
  const script = (body: string) =>
    Bun.spawn([process.execPath, "-e", `import * as k from "./src/kernel/index.ts"; ${body}`], {
      cwd: repository,
      stdout: "pipe",
      stderr: "pipe",
    });

  test("an idle channel does not keep it alive, its thread does not stop the end", async () => {
    const child = script(
      "const [a] = k.socketPair(); k.openChannel(a).onData(() => {}); console.log('end');",
    );
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stdout).text()).toBe("end\n");
  });

  test("a child and a job do, until they are done", async () => {
    const child = script(`
      const sleep = k.spawn({ program: "/bin/sh", argv: ["sh", "-c", "exit 3"], env: {}, fds: [] });
      sleep.exited.then(({ code }) => console.log("child", code));
      k.newNetworkNamespace().then(() => console.log("job"));
    `);
    expect(await child.exited).toBe(0);
    const lines = (await new Response(child.stdout).text()).trim().split("\n");
    expect(lines.sort()).toEqual(["child 3", "job"]);
  });

  test("an unreferenced child does not, and lives on", async () => {
    const child = script(`
      const sleep = k.spawn({ program: "/bin/sleep", argv: ["sleep", "60"], env: {}, fds: [] });
      sleep.unref();
      console.log(sleep.pid);
    `);
    expect(await child.exited).toBe(0);
    const pid = Number(await new Response(child.stdout).text());
    using left = kernel.pidfdOpen(pid);
    kernel.pidfdSendSignal(left, 9);
  });

  test("a throw in a receiver is an uncaught exception, and the others go on", async () => {
    const child = script(`
      process.on("uncaughtException", (error) => console.log("caught", error.message));
      const [a, b] = k.socketPair();
      const [c, d] = [k.openChannel(a), k.openChannel(b).ref()];
      d.onData(() => { throw new Error("mine"); });
      d.onEnd(() => { console.log("end"); d.close(); });
      c.write(Buffer.from("x"));
      c.end();
    `);
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stdout).text()).toBe("caught mine\nend\n");
  });

  test("workers have it too, beside the main thread", async () => {
    const source = `
      import * as k from ${JSON.stringify(join(repository, "src/kernel/index.ts"))};
      k.useAddon(${JSON.stringify(kernel.addonPath())});
      const exit = await k.spawn({ program: "/bin/sh", argv: ["sh", "-c", "exit 5"], env: {}, fds: [] }).exited;
      const fd = await k.newNetworkNamespace();
      fd.close();
      postMessage(exit.code);
    `;
    const file = join(root, "worker.ts");
    writeFileSync(file, source);
    const codes = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<unknown>((resolve, reject) => {
            const worker = new Worker(file);
            worker.onmessage = (event) => resolve(event.data);
            worker.onerror = (event) => reject(new Error(event.message));
            worker.unref();
          }),
      ),
    );
    expect(codes).toEqual([5, 5, 5]);
  });
});
