import type { Fd } from "#kernel";

/** A network namespace for `nsenter`: a descriptor of this process, or a path. */
export type Namespace = Fd | string;

function pathOf(netns: Namespace): string {
  return typeof netns === "string" ? netns : `/proc/${process.pid}/fd/${netns.number}`;
}

/** The command line that runs a program inside. */
export function enter(netns: Namespace, ...argv: string[]): string[] {
  return ["nsenter", `--net=${pathOf(netns)}`, ...argv];
}

/** Runs a program inside a namespace; its output, or "failed". */
export async function inside(netns: Namespace, ...argv: string[]): Promise<string> {
  const child = Bun.spawn(enter(netns, ...argv), { stdout: "pipe", stderr: "ignore" });
  const text = await new Response(child.stdout).text();
  return (await child.exited) === 0 ? text.trim() : "failed";
}

/** A TCP connection from inside: "open" or "failed". */
export function dial(netns: Namespace, address: string, port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/${address}/${port} && echo open`;
  return inside(netns, "timeout", "1", "bash", "-c", script);
}

/** The same where the way is expected to be open: the kernel may take a second to forward through a new port of a bridge. */
export async function reach(netns: Namespace, address: string, port: number): Promise<string> {
  let answer = "";
  for (let attempt = 0; attempt < 10 && answer !== "open"; attempt++)
    answer = await dial(netns, address, port);
  return answer;
}

/** A listener inside, for IPv4 and IPv6, that ends with the test. */
export async function listen(netns: Namespace, port: number): Promise<Disposable> {
  const script = `Bun.listen({ hostname: "::", port: ${port}, socket: { data() {} } }); console.log("ready");`;
  const child = Bun.spawn(enter(netns, process.execPath, "-e", script), { stdout: "pipe" });
  await child.stdout.getReader().read();
  return { [Symbol.dispose]: () => child.kill() };
}
