/**
 * Log drivers and their options, by the real docker CLI. Shown to pass on
 * dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { freePort } from "../support/free-port.ts";
import { forwarded, syslogLines } from "../support/log-protocols.ts";
import { StreamReceiver } from "../support/log-receiver.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("log options [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  const options = (...each: string[]) => each.flatMap((option) => ["--log-opt", option]);

  async function ran(flags: readonly string[], script: string): Promise<string> {
    const name = target.name();
    await target.ok(["run", "--name", name, ...flags, image, "sh", "-c", script]);
    return name;
  }

  test("tag, labels and variables stand in each line, and logs --details shows them", async () => {
    const flags = [
      ...["--label", "a=1", "--label", "b.c=2 3", "--label", "z=4", "-e", "X=1", "-e", "YY=é&"],
      ...options("tag={{.Name}}/{{.ImageName}}", "labels=a,nope", "labels-regex=^b"),
      ...options("env=X,NOPE", "env-regex=^YY"),
    ];
    const name = await ran(flags, "echo hi; printf half");
    expect(await target.ok(["logs", name])).toBe("hi\nhalf");
    const details = `X=1,YY=%C3%A9%26,a=1,b.c=2+3,tag=${name}%2F${encodeURIComponent(image)}`;
    expect(await target.ok(["logs", "--details", name])).toBe(`${details} hi\n${details} half`);
    const stamped = await target.ok(["logs", "--details", "--timestamps", "--tail", "1", name]);
    expect(stamped.replace(/^\S+Z /, "")).toBe(`${details} half`);
  });

  test("a tag is a template", async () => {
    const tag = '{{upper .ImageName}} {{slice .FullID 0 4}} {{index .ContainerLabels "a"}}';
    const name = await ran(["--label", "a=1", ...options(`tag=${tag}`)], "echo hi");
    const [detail = ""] = (await target.ok(["logs", "--details", name])).split(" ");
    const id = await target.ok(["inspect", "-f", "{{.Id}}", name]);
    const text = decodeURIComponent(detail.replaceAll("+", " "));
    expect(text).toBe(`tag=${image.toUpperCase()} ${id.slice(0, 4)} 1`);
  });

  test.each([
    [options("mode=non-blocking", "max-buffer-size=1m")],
    [options("mode=blocking", "max-file=3", "compress=false")],
    [["--log-driver", "local"]],
    [["--log-driver", "local", ...options("max-size=1m", "max-file=2", "mode=non-blocking")]],
  ])("a container with %j runs, and its log is read", async (flags) => {
    const name = await ran(flags, "echo out; echo err >&2");
    expect(await target.docker(["logs", name])).toEqual({
      status: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect(await target.ok(["logs", "--tail", "1", name])).toBeOneOf(["out", ""]);
  });

  test("a log that goes to syslog is read here as well, with its tag there", async () => {
    const at = join(target.shared, "syslog");
    await using receiver = await StreamReceiver.open({ at });
    const flags = ["--log-driver", "syslog", "--label", "a=1"];
    const name = await ran(
      [
        ...flags,
        ...options(`syslog-address=unix://${at}`, "tag={{.Name}}", "syslog-facility=local1"),
      ],
      "echo out; echo err >&2; seq 1000",
    );
    const { stdout, stderr } = await target.docker(["logs", name]);
    expect([stdout.split("\n").length, stderr]).toEqual([1002, "err\n"]);
    const whole = () => Buffer.concat(receiver.connections);
    // Which of two streams comes first is nobody's promise.
    await receiver.until(() => whole().toString().match(/\n/g)?.length === 1002);
    expect(new Set(syslogLines(whole()))).toEqual(
      new Set(["out", "err", ...Array.from({ length: 1000 }, (_, index) => `${index + 1}`)]),
    );
    const texts = whole().toString();
    expect(texts).toMatch(
      new RegExp(`^<142>\\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d ${name}\\[\\d+\\]: out$`, "m"),
    );
    expect(texts).toMatch(/^<139>.*: err$/m);
  });

  test("lines of a container that removes itself are shipped", async () => {
    const at = join(target.shared, "fluentd");
    await using receiver = await StreamReceiver.open({ at });
    const flags = ["--log-driver", "fluentd", "-e", "KEY=value"];
    const opts = options(`fluentd-address=unix://${at}`, "env=KEY", "tag=t.{{.ID}}");
    await target.ok(["run", "--rm", ...flags, ...opts, image, "sh", "-c", "seq 100"]);
    const records = () =>
      forwarded(Buffer.concat(receiver.connections)).messages.flatMap((each) =>
        each.records.map(({ log }) => log),
      );
    await receiver.until(() => records().length >= 100);
    expect(records()).toEqual(Array.from({ length: 100 }, (_, index) => `${index + 1}`));
  });

  test("a receiver that is down keeps no container from running, as it does under Docker", async () => {
    const name = target.name();
    const flags = [
      "--log-driver",
      "fluentd",
      ...options(`fluentd-address=127.0.0.1:${await freePort()}`),
    ];
    const ended = await target.docker(["run", "--name", name, ...flags, image, "echo", "hi"]);
    if (!target.ours) {
      expect(ended.status).toBe(125);
      expect(ended.stderr).toContain("failed to initialize logging driver");
      return;
    }
    expect(ended).toEqual({ status: 0, stdout: "hi\n", stderr: "" });
    expect(await target.ok(["logs", name])).toBe("hi");
    const show = ["inspect", "-f", "{{.LogShipping.DroppedLines}} {{.LogShipping.Error}}", name];
    while ((await target.ok(show)) === "0") await Bun.sleep(50);
    expect(await target.ok(show)).toStartWith("0 cannot connect to tcp://127.0.0.1");
  });

  test("logs refuses a container without a copy of its log", async () => {
    const at = join(target.shared, "closed");
    await using _receiver = await StreamReceiver.open({ at });
    const opts = options(`syslog-address=unix://${at}`, "cache-disabled=true");
    const name = await ran(["--log-driver", "syslog", ...opts], "true");
    const ended = await target.docker(["logs", name]);
    expect(ended.stderr).toContain("configured logging driver does not support reading");
    expect(ended.status).toBe(1);
  });

  test("rotated files are compressed and read back", async () => {
    const flags = options("max-size=8k", "max-file=50", "compress=true");
    const name = await ran(flags, "for i in $(seq 500); do echo $i; done");
    const numbers = Array.from({ length: 500 }, (_, index) => `${index + 1}`);
    expect((await target.ok(["logs", name])).split("\n")).toEqual(numbers);
    expect((await target.ok(["logs", "--tail", "300", name])).split("\n")).toEqual(
      numbers.slice(200),
    );
  });

  test.each([
    [["max-size=-1"], "invalid size: '-1'"],
    [["max-size=0"], "max-size must be a positive number"],
    [["max-size=1k", "max-file=0"], "max-file cannot be less than 1"],
    [["compress=true", "max-size=1k"], "compress cannot be true when max-file is less than 2"],
    [["mode=odd"], "logger: logging mode not supported: odd"],
    [["max-buffer-size=1m"], "max-buffer-size option is only supported with 'mode=non-blocking'"],
    [["labels-regex=("], "error parsing regexp"],
    [["tag={{.Nope}}"], "can't evaluate field Nope"],
    [["tag={{.Name"], "unclosed action"],
    [["tag={{nofn .}}"], 'function "nofn" not defined'],
    [["size=1"], "unknown log opt 'size' for json-file log driver"],
  ])("%j is refused", async (each, words) => {
    const name = target.name();
    const ended = await target.docker(["run", "--name", name, ...options(...each), image, "true"]);
    expect(ended.status).toBe(125);
    expect(ended.stderr).toContain(words);
  });
});
