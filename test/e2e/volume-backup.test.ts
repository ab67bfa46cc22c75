import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKey } from "#chunk";
import { type RunningRegistry, startRegistry } from "../support/registry-process.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const tagPattern = /^data-\d{8}T\d{6}Z$/;

describe.skipIf(!isRoot)("thimble volume backup [needs root]", () => {
  let cli: ThimbleCli;
  let registry: RunningRegistry;
  let data = "";
  beforeAll(async () => {
    registry = await startRegistry([]);
    cli = new ThimbleCli();
    await cli.ok(["volume", "create", "data"]);
    data = await cli.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", "data"]);
    writeFileSync(join(data, "file"), "content");
  }, 600_000);
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  const fileOf = async (volume: string) => {
    const path = await cli.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", volume]);
    return readFileSync(join(path, "file"), "utf8");
  };

  test("in a pipe there is the name of the backup alone, and on stderr what was sent", async () => {
    const { status, stdout, stderr } = await cli.run(["volume", "backup", "data", "./here"]);
    expect(status).toBe(0);
    expect(stdout.trim()).toMatch(tagPattern);
    expect(stderr).toMatch(/^data: \S+ in \d+ chunks, \S+ sent; digest: sha256:[0-9a-f]{64}\n$/);
    expect(readdirSync(join(cli.directory, "here"))).toContain("oci-layout");
    expect(await cli.ok(["volume", "backups", "--format", "{{.Name}}", "./here"])).toBe(
      stdout.trim(),
    );
    expect(await cli.ok(["volume", "restore", "./here", "restored"])).toBe("restored");
    expect(await fileOf("restored")).toBe("content");
    const again = await cli.run(["volume", "restore", "./here", "restored"]);
    expect(again).toMatchObject({ status: 1, stdout: "" });
    expect(again.stderr).toContain("volume restored has files already");
  });

  test("a volume is pushed and pulled, encrypted for an identity", async () => {
    const { key } = await createKey({
      recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    });
    const reference = `${registry.host}/volumes/data`;
    await cli.ok(["volume", "push", "--encrypt-to", key.recipient, "data", reference]);
    await using other = new ThimbleCli();
    const pull = ["volume", "pull", reference, "got"];
    const refused = await other.run(pull);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain("the backup is encrypted: give an identity of age");
    writeFileSync(join(other.directory, "key.txt"), `# a comment\n${key.identity}\n`);
    expect(await other.ok([...pull, "-i", "key.txt"])).toBe("got");
    const path = await other.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", "got"]);
    expect(readFileSync(join(path, "file"), "utf8")).toBe("content");
  }, 600_000);

  test("a schedule is shown with why it failed, and ends", async () => {
    const place = join(cli.directory, "often");
    const args = ["volume", "backup", "--every", "6h", "--keep-last", "2", "data", place];
    expect(await cli.ok(args)).toMatch(tagPattern);
    const shown = await cli.ok([
      "volume",
      "backups",
      "--format",
      "{{.Volume}} {{.Every}} {{.Status}}",
    ]);
    expect(shown).toBe("data 6 hours ok");
    expect(await cli.ok(["volume", "inspect", "-f", "{{.Status.LastBackup}}", "data"])).toMatch(
      /^\d{4}-.*Z$/,
    );
    await cli.ok(["volume", "backup", "--every", "off", "data", place]);
    expect(await cli.ok(["volume", "backups", "--format", "{{.Volume}}"])).toBe("");
  });

  test("a terminal shows progress, and bad words cost nothing", async () => {
    const { status, stdout } = await cli.terminal(["volume", "backup", "data", "./here"]).ended;
    expect(status).toBe(0);
    expect(stdout).toContain("Reading:");
    const bad = async (...args: string[]) => (await cli.run(["volume", ...args])).stderr;
    expect(await bad("backup", "--every", "often", "data", "./here")).toContain("--every often");
    expect(await bad("backup", "--prune", "data", "./here")).toContain("say which backups stay");
    expect(await bad("backup", "data", "s3://bucket/x")).toContain("AWS_ACCESS_KEY_ID");
    expect(await bad("push", "data", `host/x@sha256:${"0".repeat(64)}`)).toContain("digest");
    const both = ["--encrypt-to", "age1x", "--passphrase-file", "x"];
    expect(await bad("backup", ...both, "data", "./here")).toContain("conflicting options");
    expect(await bad("backup", "--encrypt-to", "bob", "data", "./here")).toContain("no recipient");
  });
});
