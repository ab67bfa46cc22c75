import { expect } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "#base";
import { enter, type Namespace } from "./namespace.ts";

/** Debian's firewalld and what it runs on, unpacked by scripts/test; it is a program of the system's Python. */
const unpacked = join(import.meta.dirname, "../../node_modules/.cache/firewalld");
const python = "/usr/bin/python3";
export const hasFirewalld = existsSync(join(unpacked, "usr/sbin/firewalld")) && existsSync(python);

/** A bus on which everyone may do everything. */
const busConfiguration = (path: string) => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>`;

/** firewalld with a configuration and a bus of its own, in a namespace that stands for a host; gives firewall-cmd. */
export async function openFirewalld(
  scope: Scope,
  netns: Namespace,
): Promise<(...words: readonly string[]) => Promise<string>> {
  const root = mkdtempSync(join(tmpdir(), "firewalld-"));
  scope.defer(() => rmSync(root, { recursive: true, force: true }));
  cpSync(join(unpacked, "etc/firewalld"), join(root, "etc"), { recursive: true });
  const bus = join(root, "bus");
  writeFileSync(join(root, "bus.conf"), busConfiguration(bus));
  const [libraries = ""] = readdirSync(join(unpacked, "usr/lib")).filter((name) =>
    name.endsWith("-linux-gnu"),
  );
  const env = {
    ...process.env,
    PYTHONPATH: join(unpacked, "usr/lib/python3/dist-packages"),
    PYTHONDONTWRITEBYTECODE: "1",
    GI_TYPELIB_PATH: join(unpacked, "usr/lib", libraries, "girepository-1.0"),
    LD_LIBRARY_PATH: join(unpacked, "usr/lib", libraries),
    DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}`,
  };
  const start = (...command: readonly string[]) => {
    const child = Bun.spawn([...command], { env, stdout: "ignore", stderr: "ignore" });
    scope.defer(async () => {
      child.kill();
      await child.exited;
    });
  };
  const quiet = ["--nofork", "--nopidfile"];
  start(join(unpacked, "usr/bin/dbus-daemon"), `--config-file=${root}/bus.conf`, ...quiet);
  await until(async () => existsSync(bus));
  const configuration = ["--system-config", join(root, "etc"), "--log-file", join(root, "log")];
  const defaults = ["--default-config", join(unpacked, "usr/lib/firewalld")];
  const program = [join(unpacked, "usr/sbin/firewalld"), "--nofork", "--nopid"];
  start(...enter(netns, python, ...program, ...configuration, ...defaults));
  const ask = async (words: readonly string[]) => {
    const command = [python, join(unpacked, "usr/bin/firewall-cmd"), ...words];
    const child = Bun.spawn(command, { env, stdout: "pipe", stderr: "pipe" });
    const [text, complaint] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { status: await child.exited, text: text.trim(), complaint };
  };
  await until(async () => (await ask(["--state"])).status === 0);
  return async (...words) => {
    let answer = await ask(words);
    // A busy machine does not do it within the 25 s that a client of the bus waits.
    while (answer.complaint.includes("Did not receive a reply")) {
      await until(async () => (await ask(["--state"])).status === 0);
      answer = await ask(words);
    }
    const { status, text, complaint } = answer;
    const complaints = complaint.replace(/^Warning: ALREADY_ENABLED.*\n/gm, "");
    expect([words, status, complaints]).toEqual([words, 0, ""]);
    return text;
  };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await Bun.sleep(50))
    if (await condition()) return;
  throw new Error("firewalld did not start within a minute");
}
