import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import type { UnitChange, UnitRequest } from "#cli";

/** The first line of files that are ours to replace and remove. */
const mark = "# Written by `thimble daemon install`; `thimble daemon uninstall` removes it.";
const socketUnit = "thimble.socket";
const serviceUnit = "thimble.service";

/**
 * What it takes to have systemd(1) start the engine with its first client, or to have it no more.
 * It looks at the machine and changes nothing. `conflict` when a file of that name is not ours,
 * `unavailable` where there is no systemd.
 */
export function planUnits(request: UnitRequest): UnitChange {
  const { root, action } = request;
  const directory = join(root, "etc/systemd/system");
  const isLive = root === "/";
  if (isLive && !existsSync("/run/systemd/system"))
    throw new Fault(
      "unavailable",
      "systemd does not run on this machine: run `thimble daemon` from its own init, or give the root of another one with --root",
    );
  const systemctl = isLive ? ["systemctl"] : ["systemctl", `--root=${root}`];
  const reload = isLive ? [[...systemctl, "daemon-reload"]] : [];
  const paths = [socketUnit, serviceUnit].map((name) => join(directory, name));
  for (const path of paths) refuseForeign(path);
  if (action === "install") {
    const texts = [socketText(request), serviceText(request)];
    return {
      before: [],
      write: paths.map((path, index) => ({ path, text: texts[index] ?? "" })),
      remove: [],
      after: [...reload, [...systemctl, "enable", ...(isLive ? ["--now"] : []), socketUnit]],
    };
  }
  const present = paths.filter((path) => existsSync(path));
  if (present.length === 0) return { before: [], write: [], remove: [], after: [] };
  const stop = [...systemctl, "disable", ...(isLive ? ["--now"] : []), socketUnit, serviceUnit];
  return { before: [stop], write: [], remove: present, after: reload };
}

/** Carries out a plan, in its order; running it again after a crash ends in the same state. */
export function applyUnits({ before, write, remove, after }: UnitChange): void {
  for (const command of before) run(command);
  for (const { path, text } of write) {
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(`${path}.new`, text, { mode: 0o644 });
    renameSync(`${path}.new`, path);
  }
  for (const path of remove) rmSync(path, { force: true });
  for (const command of after) run(command);
}

function refuseForeign(path: string): void {
  if (!existsSync(path) || readFileSync(path, "utf8").startsWith(mark)) return;
  throw new Fault(
    "conflict",
    `${path} was not written by thimble daemon install: move it away first, or keep it and start the engine by it`,
    { about: path },
  );
}

function run([program = "", ...args]: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim();
  throw new Fault("unavailable", `${[program, ...args].join(" ")} failed: ${why}`, {
    cause: error,
  });
}

function socketText({ group }: UnitRequest): string {
  return `${mark}
[Unit]
Description=Socket of the thimble container engine

[Socket]
ListenStream=/run/thimble/thimble.sock
SocketMode=0660
SocketUser=root
SocketGroup=${group}
DirectoryMode=0711

[Install]
WantedBy=sockets.target
`;
}

/**
 * Most of systemd's protections cannot be had: those that need a mount namespace would keep mounts of
 * containers from the host, and those of seccomp, privileges and capabilities would reach into every
 * container, also privileged ones.
 */
function serviceText({ program }: UnitRequest): string {
  return `${mark}
[Unit]
Description=thimble container engine
Requires=${socketUnit}
After=${socketUnit} network-online.target nftables.service firewalld.service
Wants=network-online.target
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
ExecStart=${quoted(program)} daemon -H fd://
ExecReload=/bin/kill -s HUP $MAINPID
Environment=UV_THREADPOOL_SIZE=8
Restart=on-failure
RestartSec=1

# Containers and their monitors go on when the engine ends.
KillMode=process
# The engine makes and removes control groups itself.
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
# That of ten containers, whose input and output the engine's processes carry.
CPUWeight=1000
OOMScoreAdjust=-500

# What protects the engine and does not reach into containers.
KeyringMode=private
UMask=0022

[Install]
WantedBy=multi-user.target
Also=${socketUnit}
`;
}

/** A word of ExecStart= (systemd.service(5), "Command lines"). */
function quoted(path: string): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%");
  return `"${escaped.replaceAll("$", "$$$$")}"`;
}
