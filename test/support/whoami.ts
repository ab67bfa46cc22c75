import { enter, type Namespace } from "./namespace.ts";

/**
 * A server inside a namespace that tells each client the address from which it sees it come, over TCP and
 * UDP; it ends with the test.
 */
export async function whoAmI(netns: Namespace, ...ports: number[]): Promise<Disposable> {
  const script = `
    const dgram = require("node:dgram");
    const plain = (address) => address.replace(/^::ffff:/, "");
    const ready = ${JSON.stringify(ports)}.map(async (port) => {
      Bun.listen({ hostname: "::", port, socket: {
        open(socket) { socket.end(plain(socket.remoteAddress)); }, data() {} } });
      const udp = dgram.createSocket("udp6", (_, from) => udp.send(plain(from.address), from.port, from.address));
      await new Promise((resolve) => udp.bind(port, "::", resolve));
    });
    Promise.all(ready).then(() => console.log("ready"));`;
  const child = Bun.spawn(enter(netns, process.execPath, "-e", script), { stdout: "pipe" });
  await child.stdout.getReader().read();
  return { [Symbol.dispose]: () => child.kill() };
}

/**
 * How a client inside a namespace is seen at an address and port: an address, or "failed". A client
 * that is to fail waits for less long: what is dropped is never answered.
 */
export async function seenAs(
  netns: Namespace,
  at: {
    readonly host: string;
    readonly port: number;
    readonly protocol: "tcp" | "udp";
    readonly patienceMs?: number;
  },
): Promise<string> {
  const { host, port, protocol, patienceMs = 20_000 } = at;
  // Datagrams may be lost while a bridge learns its ports: the client asks again.
  const script =
    protocol === "tcp"
      ? `const s = require("node:net").connect(${port}, "${host}");
         s.on("data", (b) => { console.log(String(b)); process.exit(0); });
         s.on("error", () => process.exit(1)); s.on("end", () => process.exit(1));`
      : `const dgram = require("node:dgram");
         const s = dgram.createSocket("${host.includes(":") ? "udp6" : "udp4"}");
         s.on("message", (b, from) => { console.log(from.address === "${host}" ? String(b) : "answered by " + from.address); process.exit(0); });
         s.on("error", () => process.exit(1));
         const ask = () => s.send("?", ${port}, "${host}"); ask(); setInterval(ask, 200);`;
  const limit = `setTimeout(() => process.exit(1), ${patienceMs});`;
  const child = Bun.spawn(enter(netns, process.execPath, "-e", limit + script), {
    stdout: "pipe",
    stderr: "ignore",
  });
  const text = await new Response(child.stdout).text();
  return (await child.exited) === 0 ? text.trim() : "failed";
}

/** A listener for datagrams inside a namespace; `until` gives what came up to that text, from its last call on. */
export async function hear(
  netns: Namespace,
  port: number,
): Promise<AsyncDisposable & { until(text: string): Promise<string> }> {
  const script = `
    const s = require("node:dgram").createSocket("udp6", (bytes) => console.log(String(bytes)));
    s.bind(${port}, "::", () => console.log("ready"));`;
  const child = Bun.spawn(enter(netns, process.execPath, "-e", script), { stdout: "pipe" });
  const reader = child.stdout.getReader();
  const until = async (text: string) => {
    let heard = "";
    while (!heard.includes(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the listener ended; it heard ${heard}`);
      heard += new TextDecoder().decode(value);
    }
    return heard;
  };
  await until("ready");
  return {
    until,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}
