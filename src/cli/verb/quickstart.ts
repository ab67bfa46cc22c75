import { formatBytes, isFault } from "#base";
import { TarWriter } from "#tar";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { showProgress } from "../progress.ts";
import { runToEnd } from "../run-to-end.ts";
import type { quickstartFlags } from "../table/system.ts";

const debian = "quickstart/debian:latest";
const web = "quickstart/web:latest";
const server = "quickstart-web";

const page = "Hello from a container that is one static binary.\n";

/** Makes two images unless they are there, runs both, and leaves only the images behind. */
export const quickstart: Verb<typeof quickstartFlags> = async (context, { flags }) => {
  const { out, style, client } = context;
  return await cancellable(async (signal) => {
    await out.write(`${style.bold("1. Debian, from its packages")}\n`);
    await ensureImage(context, debian, () =>
      client.images.make(
        {
          method: "debootstrap",
          reference: debian,
          suite: flags.suite ?? "bookworm",
          include: ["busybox-static"],
          mirror: flags.mirror,
        },
        signal,
      ),
    );
    await out.write(`\n${style.bold("2. An image of one static binary")}\n`);
    await ensureImage(context, web, async function* () {
      const files = archiveOf(await busybox(context));
      const cmd = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"];
      yield* client.images.make({ method: "scratch", reference: web, cmd, files }, signal);
    });
    await out.write(`\n${style.bold("3. A container of each")}\n`);
    await runBoth(context);
    await out.write(`\n${style.bold("Next steps")}\n${suggestions(context)}`);
    return 0;
  });
};

type Messages = ReturnType<Context["client"]["images"]["make"]>;

async function ensureImage(context: Context, name: string, make: () => Messages): Promise<void> {
  const { client, out } = context;
  const start = performance.now();
  let how = "was there already";
  try {
    await client.images.inspect(name);
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
    await showProgress(context, make());
    how = `made in ${seconds(performance.now() - start)}`;
  }
  const { Size } = await client.images.inspect(name);
  await out.write(`   ${name}  ${formatBytes(Size)}, ${how}\n`);
}

/** The static busybox of Debian, out of the image that was just made. */
async function busybox({ client }: Context): Promise<Buffer> {
  const { exitCode, stdout, stderr } = await runToEnd(client, debian, ["cat", "/bin/busybox"]);
  if (exitCode !== 0 || stdout.byteLength === 0) {
    throw new Error(
      `${debian} has no /bin/busybox (${stderr.trim()}): remove the image (thimble rmi ${debian}) and try again`,
    );
  }
  return stdout;
}

async function* archiveOf(binary: Buffer): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  const common = { uid: 0, gid: 0, mtime: 0n, linkName: "" };
  const directory = (name: string) =>
    tar.entry({ ...common, name, type: "directory", mode: 0o755, size: 0 });
  const file = (name: string, mode: number, bytes: Buffer) =>
    tar.entry({ ...common, name, type: "file", mode, size: bytes.byteLength }, bytes);
  directory("bin/");
  file("bin/busybox", 0o755, binary);
  directory("www/");
  file("www/index.html", 0o644, Buffer.from(page));
  tar.finish();
  yield* chunks;
}

async function runBoth(context: Context): Promise<void> {
  const { client, out } = context;
  const system = await runToEnd(client, debian, ["cat", "/etc/os-release"]);
  const name = /^PRETTY_NAME="(.*)"$/m.exec(system.stdout.toString())?.[1] ?? "Debian";
  await out.write(
    `   ${debian} says "${name}": created, run and removed in ${seconds(system.milliseconds)}\n`,
  );
  // One of an earlier quickstart that was cut short.
  await client.containers.remove(server, { force: true }).catch(() => undefined);
  const start = performance.now();
  const { Id } = await client.containers.create({ Image: web }, { name: server });
  try {
    await client.containers.start(Id);
    const started = performance.now() - start;
    const { NetworkSettings } = await client.containers.inspect(Id);
    const address =
      NetworkSettings.IPAddress || Object.values(NetworkSettings.Networks)[0]?.IPAddress;
    await out.write(
      `   ${web} serves http://${address}/: created and started in ${seconds(started)}\n`,
    );
    await out.write(
      `   A second container fetches that: ${await fetchPage(context, address ?? "")}\n`,
    );
  } finally {
    await client.containers.remove(Id, { force: true });
  }
}

/** The page, through the containers' own network. The server needs a moment before it listens. */
async function fetchPage({ client }: Context, address: string): Promise<string> {
  const fetch = `for i in 1 2 3 4 5 6 7 8 9 10; do
  busybox wget -q -O - http://${address}/ && exit 0; sleep 0.1
done; exit 1`;
  const { exitCode, stdout, stderr } = await runToEnd(client, debian, ["sh", "-c", fetch]);
  if (exitCode === 0) return `"${stdout.toString().trim()}"`;
  throw new Error(
    `the page at http://${address}/ could not be fetched from a second container: ${stderr.trim().split("\n").at(-1)}`,
  );
}

function suggestions({ style }: Context): string {
  const lines = [
    ["thimble run --rm -it quickstart/debian bash", "a shell in a fresh Debian"],
    ["thimble run -d --name web quickstart/web", "the web server, to stay"],
    ["thimble run --dry-run quickstart/debian true", "show each step of a start"],
    ["thimble mkimage -t tiny scratch ./your-binary", "an image of a binary of yours"],
    ["thimble doctor", "show what this machine offers"],
    ["thimble rmi quickstart/debian quickstart/web", "away with it all"],
  ] as const;
  const width = Math.max(...lines.map(([line]) => line.length)) + 3;
  return lines
    .map(([line, what]) => `   ${style.cyan(line)}${" ".repeat(width - line.length)}${what}\n`)
    .join("");
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
