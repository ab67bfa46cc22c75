import { collect, Fault } from "#base";
import { ContextStore, parseContext, type TlsMaterial, tlsFiles } from "#client";
import { readTar, TarWriter } from "#tar";
import type { Verb } from "../command.ts";
import { reasonOf } from "../local-file.ts";
import { openArchive } from "./archive.ts";
import { refuseTaken } from "./context.ts";

type NoFlags = Record<never, never>;

/** As Docker's CLI has it. */
const maxArchive = 10 << 20;
const meta = "meta.json";

/** Writes a context as Docker's CLI does, so that either imports what the other exported. */
export const contextExport: Verb<NoFlags> = async (context, { args }) => {
  const [name = "", path = `${name}.dockercontext`] = args;
  const store = new ContextStore(context.env);
  const { host, description, skipTlsVerify } = store.get(name);
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  const common = { uid: 0, gid: 0, mtime: 0n, linkName: "" };
  const add = (file: string, text: string, mode: number) => {
    const bytes = Buffer.from(text);
    tar.entry({ ...common, type: "file", name: file, mode, size: bytes.byteLength }, bytes);
  };
  const value = {
    Name: name,
    Metadata: description === "" ? {} : { Description: description },
    Endpoints: { docker: { Host: host, SkipTLSVerify: skipTlsVerify } },
  };
  add(meta, JSON.stringify(value), 0o644);
  for (const directory of ["tls", "tls/docker"])
    tar.entry({ ...common, type: "directory", name: directory, mode: 0o700, size: 0 });
  for (const [file, text] of Object.entries(store.tls(name)))
    add(`tls/docker/${file}`, text, 0o600);
  tar.finish();
  if (path === "-") {
    if (context.out.isTerminal)
      throw new Fault("invalid", "cowardly refusing to export to a terminal, specify a file path");
    await context.out.write(Buffer.concat(chunks));
    return 0;
  }
  try {
    const { writeFileSync } = process.getBuiltinModule("node:fs");
    writeFileSync(path, Buffer.concat(chunks), { flag: "wx", mode: 0o600 });
  } catch (cause) {
    throw new Fault("invalid", `open ${path}: ${reasonOf(cause)}`, { about: path, cause });
  }
  await context.err.write(`Written file "${path}"\n`);
  return 0;
};

export const contextImport: Verb<NoFlags> = async (context, { args }) => {
  const [name = "", path = ""] = args;
  const store = new ContextStore(context.env);
  refuseTaken(store, name);
  const source = path === "-" ? context.stdin.read() : openArchive(path).source;
  const { text, tls } = await readContextArchive(await collect(source, maxArchive, "the archive"));
  store.write({ ...parseContext(text), name }, tls);
  await context.out.write(`${name}\n`);
  await context.err.write(`Successfully imported context "${name}"\n`);
  return 0;
};

async function readContextArchive(
  bytes: Uint8Array,
): Promise<{ readonly text: string; readonly tls: TlsMaterial }> {
  if (Buffer.from(bytes.subarray(0, 2)).toString() === "PK")
    throw new Fault(
      "unsupported",
      "the archive is a zip file, which cannot be imported: pack it as tar",
    );
  let text: string | undefined;
  const tls: Record<string, string> = {};
  for await (const entry of readTar(padded(bytes))) {
    if (entry.type !== "file") continue;
    const content = (await collect(entry.body, maxArchive, entry.name)).toString();
    const file = tlsFiles.find((each) => entry.name === `tls/docker/${each}`);
    if (entry.name === meta) text = content;
    else if (file) tls[file] = content;
    else throw new Fault("invalid", `invalid context: unexpected context file ${entry.name}`);
  }
  if (text === undefined) throw new Fault("invalid", "invalid context: no metadata found");
  return { text, tls };
}

/** Docker's CLI leaves out the last padding and the end of the archive. */
async function* padded(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
  yield new Uint8Array(((512 - (bytes.byteLength % 512)) % 512) + 1024);
}
