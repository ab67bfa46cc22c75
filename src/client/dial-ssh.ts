import { spawn } from "node:child_process";
import { Fault } from "#base";
import { brokenFault, type Connection, Inbox } from "./connection.ts";
import { formatHost, type Host } from "./host.ts";

type SshHost = Extract<Host, { kind: "ssh" }>;

/** How much of what ssh writes on standard error is kept. */
const keptErrors = 4096;

/**
 * A connection over the program ssh and `system dial-stdio` of the thimble at the other end, or of
 * the docker CLI where that is there alone. What ssh says is the fault's message when it fails.
 */
export async function dialSsh(host: SshHost): Promise<Connection> {
  const child = spawn("ssh", sshArguments(host), { stdio: "pipe" });
  const inbox = new Inbox({
    pause: () => void child.stdout.pause(),
    resume: () => void child.stdout.resume(),
  });
  let said = "";
  let isAnswered = false;
  let isClosed = false;
  child.stderr.on("data", (bytes: Buffer) => {
    if (said.length < keptErrors) said += bytes.toString();
  });
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (bytes: Buffer) => {
    isAnswered = true;
    inbox.push(bytes);
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(sshFault(host, error.message)));
  });
  child.once("close", (status) => {
    const hasFailed = status !== 0 && !isAnswered && !isClosed;
    inbox.finish(
      hasFailed ? sshFault(host, said.trim() || `it ended with status ${status}`) : undefined,
    );
  });
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        child.stdin.write(bytes, (error) => {
          // Why the other end is gone is told to the reader.
          if (error && isAnswered) reject(brokenFault(host, error.message));
          else resolve();
        });
      }),
    end: () => void child.stdin.end(),
    read: () => inbox.read(),
    close: () => {
      isClosed = true;
      inbox.finish();
      child.stdin.destroy();
      child.stdout.destroy();
      child.kill();
    },
  };
}

/** For sh, whatever the user's shell there is. */
function remoteCommand({ path }: SshHost): string {
  const dial = `${path === undefined ? "" : `-H ${quoted(`unix://${path}`)} `}system dial-stdio`;
  const choose = `if command -v thimble >/dev/null 2>&1; then exec thimble ${dial}; else exec docker ${dial}; fi`;
  return `sh -c ${quoted(choose)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The arguments of ssh(1) for a host. */
export function sshArguments(host: SshHost): readonly string[] {
  return [
    ...["-o", "ConnectTimeout=30", "-T"],
    ...(host.user === undefined ? [] : ["-l", host.user]),
    ...(host.port === undefined ? [] : ["-p", String(host.port)]),
    ...["--", host.hostname, remoteCommand(host)],
  ];
}

function sshFault(host: SshHost, why: string): Fault {
  const where = formatHost(host);
  return new Fault("unavailable", `cannot reach an engine at ${where}: ssh: ${why}`, {
    about: where,
  });
}
