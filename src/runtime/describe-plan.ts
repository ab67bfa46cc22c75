import { createHash } from "node:crypto";
import type { IdMap, LaunchPlan, MountOperation } from "#helper";
import { capabilityNames } from "./capability.ts";
import { attributeNames } from "./mount-option.ts";
import { resourceLimitName, unlimited } from "./rlimit.ts";

/** A heading and its lines; a section without lines is left out. */
interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

/**
 * A launch plan for people: everything the helper would do, in the order in which it
 * happens, one aligned section each. No line depends on anything but the plan, and
 * control characters of the container's own strings come out escaped.
 */
export function describePlan(plan: LaunchPlan): string {
  const sections: readonly Section[] = [
    { title: "plan", lines: fields(overview(plan)) },
    { title: "namespaces", lines: fields(namespaces(plan)) },
    { title: "cgroup", lines: fields(cgroup(plan)) },
    { title: "mounts", lines: mountTable(plan.mounts) },
    { title: "devices", lines: deviceTable(plan) },
    {
      title: "links",
      lines: table(plan.symlinks.map(({ path, target }) => [path, "->", target])),
    },
    { title: "read-only paths", lines: plan.readonlyPaths.map(plain) },
    { title: "masked paths", lines: plan.maskedPaths.map(plain) },
    { title: "sysctls", lines: table(plan.sysctls.map(({ name, value }) => [name, "=", value])) },
    { title: "limits", lines: table(limits(plan)) },
    { title: "capabilities", lines: fields(capabilities(plan)) },
    { title: "seccomp", lines: fields(seccomp(plan)) },
    { title: "process", lines: fields(processOf(plan)) },
    { title: "environment", lines: (plan.process?.env ?? []).map(plain) },
    { title: "standard streams", lines: fields(streams(plan)) },
  ];
  return sections
    .filter(({ lines }) => lines.length > 0)
    .map(({ title, lines }) => `${title}\n${lines.map((line) => `  ${line}\n`).join("")}`)
    .join("\n");
}

/** A value of several lines goes on below its first one; without a value there is no line. */
type Field = readonly [name: string, value: string | readonly string[] | undefined];

function overview(plan: LaunchPlan): readonly Field[] {
  const modes = {
    run: "run: make a container and watch over it",
    exec: "exec: enter a container that runs",
    sandbox: "sandbox: hold namespaces for others",
  } as const;
  return [
    ["id", plan.id],
    ["mode", modes[plan.mode]],
    ["hostname", plan.hostname],
    ["domain name", plan.domainname],
    ["root built on", plan.rootAnchor],
    ["root", plan.rootReadonly ? "read-only" : "writable"],
    ["root propagation", plan.rootPropagation],
  ];
}

function namespaces(plan: LaunchPlan): readonly Field[] {
  const made = plan.namespaces.filter((entry) => entry.join === undefined);
  const joined = plan.namespaces.filter((entry) => entry.join !== undefined);
  const all = ["mnt", "net", "pid", "ipc", "uts", "cgroup", "user", "time"] as const;
  const host = all.filter((kind) => !plan.namespaces.some((entry) => entry.kind === kind));
  const map = (maps: LaunchPlan["uidMaps"]) =>
    maps.map((m) => `${m.inside} is ${m.outside} outside, ${m.count} of them`).join("; ");
  return [
    ["new", made.map((entry) => entry.kind).join(" ") || undefined],
    [
      "joined",
      joined.map((entry) => `${entry.kind} (descriptor ${entry.join})`).join(" ") || undefined,
    ],
    ["the host's", host.join(" ") || undefined],
    ["user ids", map(plan.uidMaps) || undefined],
    ["group ids", map(plan.gidMaps) || undefined],
  ];
}

function cgroup(plan: LaunchPlan): readonly Field[] {
  const how = !plan.cgroup
    ? undefined
    : plan.cgroup.version === 2
      ? `version 2, created in it (descriptor ${plan.cgroup.directory})`
      : `version 1, enters by itself (descriptors ${plan.cgroup.tasks.join(" ")})`;
  const oom = [plan.oomCounter, plan.oomEvent].filter((index) => index !== undefined);
  return [
    ["entered", how],
    ["OOM watched", oom.length > 0 ? `descriptors ${oom.join(" ")}` : undefined],
  ];
}

function mountTable(mounts: readonly MountOperation[]): readonly string[] {
  if (mounts.length === 0) return [];
  const heading = ["TARGET", "TYPE", "FLAGS", "SOURCE AND OPTIONS"];
  const rows = mounts.flatMap((mount) => {
    const [first = "", ...more] = mountDetails(mount);
    const row = [mount.target, mountType(mount), mountFlags(mount), first];
    return [row, ...more.map((detail) => ["", "", "", detail])];
  });
  return table([heading, ...rows]);
}

function mountType({ source }: MountOperation): string {
  if (source.kind === "filesystem" || source.kind === "legacy") return source.type;
  return source.recursive ? "rbind" : "bind";
}

function mountFlags(mount: MountOperation): string {
  const set = attributeNames(mount.attributes.set);
  const cleared = mount.attributes.clear & ~mount.attributes.set;
  const flags = [
    ...set,
    // Clearing read-only is the only clear that shows: the others are the kernel's defaults.
    ...(cleared & 1 ? ["rw"] : []),
    ...(mount.propagation ? [mount.propagation] : []),
  ];
  const tree = mount.recursiveAttributes ? " (whole tree)" : "";
  const owners = [...(mount.owners?.uids ?? []).map(mapText)].join(",");
  const shown = [
    ...(flags.length > 0 ? [flags.join(",") + tree] : []),
    ...(owners ? [`owner ${owners}`] : []),
  ];
  return shown.join(" ") || "-";
}

function mapText({ inside, outside, count }: IdMap): string {
  return `${inside} as ${outside}${count > 1 ? ` (${count})` : ""}`;
}

/** One line for short options; an overlay's layers and directories get a line each. */
function mountDetails({ source }: MountOperation): readonly string[] {
  if (source.kind === "bind") return [source.path];
  if (source.kind === "bind-fd") return [`descriptor ${source.fd}`];
  if (source.kind === "legacy") return source.data.split(",");
  const options = source.options.map(([key, value]) => (value === null ? key : `${key}=${value}`));
  const long = options.some((option) => option.includes("/"));
  return long ? options : [options.join(",") || "-"];
}

function deviceTable(plan: LaunchPlan): readonly string[] {
  return table(
    plan.devices.map((device) => [
      device.path,
      `${device.type} ${device.major}:${device.minor}`,
      device.mode.toString(8).padStart(4, "0"),
      `${device.uid}:${device.gid}`,
    ]),
  );
}

function limits(plan: LaunchPlan): readonly (readonly string[])[] {
  const number = (value: bigint) => (value === unlimited ? "unlimited" : `${value}`);
  const rows = plan.resourceLimits.map(({ resource, soft, hard }) => [
    (resourceLimitName(resource) ?? `limit ${resource}`).replace("RLIMIT_", "").toLowerCase(),
    `soft ${number(soft)}`,
    `hard ${number(hard)}`,
  ]);
  const score = plan.oomScoreAdj === undefined ? [] : [["oom_score_adj", `${plan.oomScoreAdj}`]];
  return [...rows, ...score];
}

function capabilities(plan: LaunchPlan): readonly Field[] {
  const masks = plan.capabilities;
  const list = (mask: bigint) =>
    wrap(capabilityNames(mask).map((name) => name.replace("CAP_", "")));
  const privileges = plan.noNewPrivileges ? "never (no_new_privs)" : "setuid and file capabilities";
  if (!masks) return [["more privileges", privileges]];
  const { bounding, effective, permitted, inheritable, ambient } = masks;
  const others: readonly Field[] =
    bounding === effective && bounding === permitted
      ? [["held and bounding", list(bounding)]]
      : [
          ["bounding", list(bounding)],
          ["permitted", list(permitted)],
          ["effective", list(effective)],
        ];
  return [
    ...others,
    ["inheritable", inheritable === 0n ? undefined : list(inheritable)],
    ["ambient", ambient === 0n ? undefined : list(ambient)],
    ["more privileges", privileges],
  ];
}

function seccomp(plan: LaunchPlan): readonly Field[] {
  if (!plan.seccomp) return [["filter", "none: every system call is allowed"]];
  const digest = createHash("sha256").update(plan.seccomp).digest("hex");
  const flags = plan.seccompFlags ?? 0;
  const names = ["TSYNC", "LOG", "SPEC_ALLOW"].filter((_, bit) => flags & (1 << bit));
  return [
    ["filter", `${plan.seccomp.byteLength / 8} instructions, sha256:${digest.slice(0, 16)}`],
    ["flags", names.join(" ") || undefined],
  ];
}

function processOf(plan: LaunchPlan): readonly Field[] {
  const { process } = plan;
  if (!process) return [];
  const groups = process.additionalGids.join(" ");
  return [
    ["command", process.argv.map(quote).join(" ")],
    ["directory", process.cwd],
    ["user", `${process.uid}:${process.gid}${groups ? `, groups ${groups}` : ""}`],
    ["umask", process.umask?.toString(8).padStart(4, "0")],
    ["process 1", plan.init ? "a reaper of the helper's" : undefined],
  ];
}

function streams(plan: LaunchPlan): readonly Field[] {
  const { stdio, log } = plan;
  const size = stdio.rows && stdio.columns ? ` of ${stdio.columns}x${stdio.rows}` : "";
  const kinds = { pty: `a terminal${size}`, pipes: "pipes", null: "/dev/null" } as const;
  const input = !stdio.stdin
    ? "/dev/null"
    : stdio.stdinOnce
      ? "until the first client leaves"
      : "kept open";
  const kept = log && log.maxSize > 0n ? `, ${log.maxFiles} files of ${log.maxSize} bytes` : "";
  return [
    ["output", kinds[stdio.mode]],
    ["input", stdio.mode === "null" ? undefined : input],
    ["log", log ? `${log.path}${kept}` : "none"],
    ["control socket", plan.controlSocket],
    ["exit record", plan.exitRecord],
    ["start", plan.awaitStart ? "when a client of the control socket says so" : undefined],
  ];
}

function fields(list: readonly Field[]): readonly string[] {
  const rows = list.flatMap(([name, value]) => {
    const lines = value === undefined ? [] : typeof value === "string" ? [value] : value;
    return lines.map((line, index) => [index === 0 ? name : "", line]);
  });
  return table(rows);
}

const wrapAt = 72;

function wrap(words: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= wrapAt)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.length > 0 ? lines : ["none"];
}

/** Columns as wide as their widest cell; the last one is as long as it likes. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const clean = rows.map((row) => row.map(plain));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return clean.map((row) =>
    row
      .map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell))
      .join("  ")
      .trimEnd(),
  );
}

/** A word as a shell would need it. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Control characters, line separators and marks that turn the direction of text: strings of a
 * container must not rewrite the output.
 */
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function plain(text: string): string {
  return text.replace(unprintable, (character) => {
    const known = { "\n": "\\n", "\t": "\\t", "\r": "\\r" }[character];
    const code = character.charCodeAt(0).toString(16);
    return known ?? (code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`);
  });
}
