import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import * as openpgp from "openpgp";
import { TarWriter } from "#tar";

/** A package of a repository made for a test. */
export interface TestPackage {
  readonly name: string;
  readonly version?: string;
  /** Further control fields: Depends, Essential ... */
  readonly fields?: Readonly<Record<string, string>>;
  /** Content by path; directories on the way are made. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface TestKey {
  readonly privateKey: openpgp.PrivateKey;
  /** As in a keyring file. */
  readonly publicBytes: Uint8Array;
}

export async function newKey(options: { expiresIn?: number; date?: Date } = {}): Promise<TestKey> {
  const { privateKey, publicKey } = await openpgp.generateKey({
    userIDs: [{ name: "Test Archive", email: "archive@example.org" }],
    format: "object",
    ...(options.expiresIn === undefined ? {} : { keyExpirationTime: options.expiresIn }),
    ...(options.date === undefined ? {} : { date: options.date }),
  });
  return { privateKey, publicBytes: publicKey.write() };
}

export async function clearSign(
  text: string,
  keys: readonly TestKey[],
  date?: Date,
): Promise<string> {
  return await openpgp.sign({
    message: await openpgp.createCleartextMessage({ text }),
    signingKeys: keys.map(({ privateKey }) => privateKey),
    ...(date === undefined ? {} : { date }),
  });
}

/** A .deb: an ar archive of debian-binary, control.tar.gz and data.tar.gz. */
export function makeDeb(one: TestPackage): Buffer {
  const control = tarOf({ control: controlText(one) });
  return arOf([
    ["debian-binary", Buffer.from("2.0\n")],
    ["control.tar.gz", gzipSync(control)],
    ["data.tar.gz", gzipSync(tarOf(one.files ?? {}))],
  ]);
}

export function arOf(members: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const [name, bytes] of members) {
    const size = String(bytes.byteLength).padEnd(10);
    const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${size}\`\n`;
    parts.push(Buffer.from(header), bytes, Buffer.alloc(bytes.byteLength % 2, "\n"));
  }
  return Buffer.concat(parts);
}

function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  const common = { uid: 0, gid: 0, mtime: 1_700_000_000_000_000_000n, linkName: "" };
  tar.entry({ ...common, name: "./", type: "directory", mode: 0o755, size: 0 });
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const name = `./${path}`;
    tar.entry({ ...common, name, type: "file", mode: 0o755, size: bytes.byteLength }, bytes);
  }
  tar.finish();
  return Buffer.concat(chunks);
}

function controlText(one: TestPackage): string {
  const fields = {
    Package: one.name,
    Version: one.version ?? "1.0",
    Architecture: "amd64",
    Maintainer: "Test <test@example.org>",
    Priority: "optional",
    ...one.fields,
  };
  return `${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n")}\n`;
}

export interface RepositoryOptions {
  readonly suite?: string;
  readonly packages: readonly TestPackage[];
  readonly keys: readonly TestKey[];
  readonly date?: Date;
  readonly validUntil?: Date;
}

/** The files of a signed repository by their paths; change them to tamper with it. */
export async function makeRepository(options: RepositoryOptions): Promise<Map<string, Uint8Array>> {
  const { suite = "test", packages, keys, date = new Date(), validUntil } = options;
  const files = new Map<string, Uint8Array>();
  let index = "";
  for (const one of packages) {
    const deb = makeDeb(one);
    const path = `pool/main/${one.name}_${one.version ?? "1.0"}_amd64.deb`;
    files.set(path, deb);
    index += `${controlText(one)}Filename: ${path}\nSize: ${deb.byteLength}\nSHA256: ${sha256(deb)}\n\n`;
  }
  const packed = gzipSync(index);
  const place = "main/binary-amd64";
  files.set(`dists/${suite}/${place}/Packages.gz`, packed);
  const release = [
    "Origin: Test",
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    `Date: ${date.toUTCString()}`,
    ...(validUntil === undefined ? [] : [`Valid-Until: ${validUntil.toUTCString()}`]),
    "Architectures: amd64",
    "Components: main",
    "SHA256:",
    ` ${sha256(packed)} ${packed.byteLength} ${place}/Packages.gz`,
    "",
  ].join("\n");
  files.set(`dists/${suite}/InRelease`, Buffer.from(await clearSign(release, keys)));
  return files;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export interface TestMirror extends AsyncDisposable {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly requests: readonly string[];
}

/**
 * Serves files over HTTP on the loopback. `fail` may answer a request in another way:
 * "drop" breaks the connection after half of the file, a number is a status.
 */
export async function serve(
  files: ReadonlyMap<string, Uint8Array>,
  fail: (path: string, attempt: number) => "drop" | number | undefined = () => undefined,
): Promise<TestMirror> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = decodeURI((request.url ?? "/").slice(1));
    requests.push(path);
    const attempt = requests.filter((other) => other === path).length;
    const failure = fail(path, attempt);
    const bytes = files.get(path);
    if (typeof failure === "number" || bytes === undefined) {
      response.writeHead(typeof failure === "number" ? failure : 404).end();
      return;
    }
    response.writeHead(200, { "content-length": bytes.byteLength });
    if (failure === "drop") {
      response.write(bytes.subarray(0, bytes.byteLength >> 1), () => response.destroy());
      return;
    }
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
