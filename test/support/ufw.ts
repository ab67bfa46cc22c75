import { expect } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "#base";
import { enter, type Namespace } from "./namespace.ts";

/** Debian's ufw, unpacked by scripts/test; it is a program of the system's Python and of iptables. */
const unpacked = join(import.meta.dirname, "../../node_modules/.cache/ufw");
const python = "/usr/bin/python3";
export const hasUfw = existsSync(join(unpacked, "usr/sbin/ufw")) && existsSync(python);

/** ufw with a configuration of its own, in a namespace that stands for a host; gives what runs it. */
export function openUfw(
  scope: Scope,
  netns: Namespace,
): (...words: readonly string[]) => Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "ufw-"));
  scope.defer(() => rmSync(root, { recursive: true, force: true }));
  for (const name of ["etc", "lib", "usr/sbin", "usr/lib", "usr/share/ufw"])
    cpSync(join(unpacked, name), join(root, name), { recursive: true });
  cpSync(join(root, "usr/share/ufw/iptables"), join(root, "etc/ufw"), { recursive: true });
  cpSync(join(root, "usr/share/ufw/ufw.conf"), join(root, "etc/ufw/ufw.conf"));
  const defaults = join(root, "etc/default/ufw");
  writeFileSync(defaults, readFileSync(defaults, "utf8").replace(/^IPV6=.*/m, "IPV6=no"));
  const program = [python, join(root, "usr/sbin/ufw"), `--rootdir=${root}`, `--datadir=${root}`];
  return async (...words) => {
    const child = Bun.spawn(
      enter(netns, ...program, ...(words[0] === "enable" ? ["--force"] : []), ...words),
      {
        env: { ...process.env, PYTHONPATH: join(root, "usr/lib/python3/dist-packages") },
        ...{ stdout: "ignore", stderr: "pipe" },
      },
    );
    const complaint = await new Response(child.stderr).text();
    expect([words, await child.exited, complaint.replace(/^WARN.*\n/gm, "")]).toEqual([
      words,
      0,
      "",
    ]);
  };
}
