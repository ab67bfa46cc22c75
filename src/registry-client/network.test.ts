import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { mediaTypes, parseReference, sha256 } from "#image";
import { authority, issue } from "../../test/support/registry-certificates.ts";
import { appOf, emptyManifest, faultOf, quickClient } from "../../test/support/registry-client.ts";
import { FakeRegistry } from "../../test/support/registry-fake.ts";
import { addressKind } from "./address.ts";
import { proxyFor } from "./proxy.ts";

const root = mkdtempSync(join(tmpdir(), "thimble-hosts-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;
const ca = await authority();
const server = await issue(ca, "127.0.0.1");

/** A fresh certs.d with these files. */
function certsDirectory(files: Readonly<Record<string, string>>): string {
  const directory = join(root, String(++directories));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

test("a certificate counts by the host's authority, and not without", async () => {
  await using registry = await FakeRegistry.start({ tls: server });
  registry.addManifest("app", "v1", emptyManifest);
  const name = parseReference(`${registry.host}/app`);
  const right = certsDirectory({ [`${registry.host}/ca.crt`]: ca.cert });
  expect(
    (await quickClient({ directory: right }).repository(name).resolve("v1")).size,
  ).toBeGreaterThan(0);
  const wrong = certsDirectory({ [`${registry.host}/ca.crt`]: (await authority()).cert });
  const fault = await faultOf(quickClient({ directory: wrong }).repository(name).resolve("v1"));
  expect(fault.code).toBe("denied");
  expect(fault.message).toContain("certificate");
  // Without any configuration this machine needs none.
  expect((await quickClient().repository(name).resolve("v1")).size).toBeGreaterThan(0);
});

test("a client certificate is shown, from Docker's files and from hosts.toml", async () => {
  const client = await issue(ca, "client");
  const tls = { ...server, ca: ca.cert, requestCert: true, rejectUnauthorized: true };
  await using registry = await FakeRegistry.start({ tls });
  registry.addManifest("app", "v1", emptyManifest);
  const { host } = registry;
  const name = parseReference(`${host}/app`);
  const files = { "ca.crt": ca.cert, "me.cert": client.cert, "me.key": client.key };
  const docker = certsDirectory(
    Object.fromEntries(Object.entries(files).map(([file, text]) => [`${host}/${file}`, text])),
  );
  expect(
    (await quickClient({ directory: docker }).repository(name).resolve("v1")).size,
  ).toBeGreaterThan(0);
  const toml = certsDirectory({
    "_default/hosts.toml": `[host."https://${host}"]\nca = "ca.pem"\nclient = [["me.pem", "me.key"]]\n`,
    "_default/ca.pem": ca.cert,
    "_default/me.pem": client.cert,
    "_default/me.key": client.key,
  });
  const mirrored = parseReference("registry.example/app");
  expect(
    (await quickClient({ directory: toml }).repository(mirrored).resolve("v1")).size,
  ).toBeGreaterThan(0);
  const none = certsDirectory({ [`${host}/ca.crt`]: ca.cert });
  const fault = await faultOf(quickClient({ directory: none }).repository(name).resolve("v1"));
  expect(fault.code).toBe("denied");
  expect(fault.message).toContain("NAME.key");
});

test("mirrors in their order, then the host itself; rewritten, with headers and ns", async () => {
  await using first = await FakeRegistry.start();
  await using second = await FakeRegistry.start();
  const digest = second.addManifest("cache/library/app", "v1", emptyManifest);
  const blob = second.addBlob("cache/library/app", Buffer.from("hello"));
  const directory = certsDirectory({
    "docker.io/hosts.toml": [
      'server = "http://127.0.0.1:1"',
      `[host."http://${first.host}"]`,
      'capabilities = ["pull", "resolve"]',
      `[host."http://${second.host}/v2"]`,
      'capabilities = ["pull", "resolve"]',
      `[host."http://${second.host}/v2".header]`,
      'x-mirror = ["a", "b"]',
      `[host."http://${second.host}/v2".rewrite]`,
      `"^(.*)$" = "cache/$1"`,
    ].join("\n"),
  });
  let headers: string | undefined;
  second.hook = (request) => {
    headers = request.headers.get("x-mirror");
    return undefined;
  };
  const repository = quickClient({ directory }).repository(parseReference("app"));
  expect((await repository.resolve("v1")).digest as string).toBe(digest);
  expect(first.requests).toEqual(["HEAD /v2/library/app/manifests/v1?ns=docker.io"]);
  expect(second.requests).toEqual(["HEAD /v2/cache/library/app/manifests/v1?ns=docker.io"]);
  expect(headers).toBe("b");
  const chunks = await Array.fromAsync(
    repository.blob({ digest: sha256("hello"), size: blob.size }),
  );
  expect(Buffer.concat(chunks).toString()).toBe("hello");
  const put = repository.putManifest("v2", Buffer.from("{}"), mediaTypes.manifest);
  expect((await faultOf(put)).message).toContain("127.0.0.1:1");
});

test("a directory may spell the port as containerd does, and comes before _default", async () => {
  await using registry = await FakeRegistry.start();
  registry.addManifest("app", "v1", emptyManifest);
  const directory = certsDirectory({
    "registry.example_5000_/hosts.toml": `server = "http://${registry.host}"`,
    "_default/hosts.toml": 'server = "http://127.0.0.1:1"',
  });
  const client = quickClient({ directory });
  const own = client.repository(parseReference("registry.example:5000/app"));
  expect((await own.resolve("v1")).size).toBeGreaterThan(0);
  const other = client.repository(parseReference("other.example/app"));
  expect((await faultOf(other.resolve("v1"))).message).toContain("127.0.0.1:1");
});

test("a blob begun at a mirror that fails goes on at the next place", async () => {
  const bytes = Buffer.alloc(200_000, "x");
  await using mirror = await FakeRegistry.start({
    hook: ({ socket }) => {
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n${"x".repeat(1000)}`);
      return "taken";
    },
  });
  await using origin = await FakeRegistry.start();
  const { digest, size } = origin.addBlob("app", bytes);
  const directory = certsDirectory({
    "registry.example/hosts.toml": `server = "http://${origin.host}"\n[host."http://${mirror.host}"]\n`,
  });
  const repository = quickClient({ directory }).repository(parseReference("registry.example/app"));
  const chunks = await Array.fromAsync(repository.blob({ digest: sha256(bytes), size }));
  expect(Buffer.concat(chunks)).toEqual(bytes);
  expect(digest).toBe(sha256(bytes));
});

test.each([
  ["a misspelt setting", '[host."http://a"]\nskip_verfy = true', "did you mean skip_verify?"],
  ["an unknown capability", '[host."http://a"]\ncapabilities = ["fly"]', "not a capability"],
  ["a missing certificate", '[host."https://a"]\nca = "none.pem"', "does not exist"],
  ["a bad expression", '[host."http://a".rewrite]\n"(" = "x"', "rewrite"],
  ["a header that breaks lines", '[host."http://a".header]\nx = "a\\r\\nb"', "header"],
  ["another scheme", 'server = "ftp://a"', "http:// or https://"],
  ["no TOML", "server = ", "TOML"],
])("hosts.toml with %s is refused by name", async (_, text, expected) => {
  const directory = certsDirectory({ "registry.example/hosts.toml": text });
  const work = quickClient({ directory })
    .repository(parseReference("registry.example/app"))
    .resolve("a");
  const fault = await faultOf(work);
  expect(fault.code).toBe("invalid");
  expect(fault.message).toContain("registry.example/hosts.toml");
  expect(fault.message).toContain(expected);
});

test.each([
  ["hosts.toml", 'ca = "/dev/zero"', "/dev/zero is not a file"],
  ["hosts.toml", 'ca = "hosts.toml"', "hosts.toml holds no certificate in PEM"],
  ["ours.crt", "-----BEGIN CERTIFICATE-----", "ours.crt holds no certificate in PEM"],
  ["hosts.toml", " ".repeat(2 << 20), "hosts.toml is larger than 1048576 bytes"],
])("what %s names is read only as what it should be (%#)", async (file, text, expected) => {
  const directory = certsDirectory({ [`registry.example/${file}`]: text });
  const repository = quickClient({ directory }).repository(parseReference("registry.example/app"));
  const work = repository.resolve("a");
  expect((await faultOf(work)).message).toContain(expected);
});

test("plain http elsewhere only where it is allowed", async () => {
  await using registry = await FakeRegistry.start();
  registry.addManifest("app", "v1", emptyManifest);
  const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
  const name = parseReference(`registry.example:${registry.port}/app`);
  const strict = quickClient({ resolve });
  expect((await faultOf(strict.repository(name).resolve("v1"))).code).toBe("unavailable");
  expect(registry.requests).toEqual([]);
  const insecure = [`registry.example:${registry.port}`];
  const lax = quickClient({ resolve, insecure });
  expect((await lax.repository(name).resolve("v1")).size).toBeGreaterThan(0);
});

test("a name of this machine that leads elsewhere gets neither request nor login", async () => {
  for (const host of ["registry.localhost", "localhost"]) {
    const resolve = async () => [{ address: "192.0.2.1", family: 4 }];
    const client = quickClient({ resolve });
    const fault = await faultOf(client.repository(parseReference(`${host}:5000/app`)).resolve("a"));
    expect([fault.code, fault.message]).toEqual([
      "denied",
      expect.stringContaining("is a name of this machine, but leads to a public address"),
    ]);
  }
  await using registry = await FakeRegistry.start();
  registry.addManifest("app", "v1", emptyManifest);
  const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
  const name = parseReference(`registry.localhost:${registry.port}/app`);
  expect((await quickClient({ resolve }).repository(name).resolve("v1")).size).toBeGreaterThan(0);
});

test.each([
  ["a file", "file:///etc/passwd", "neither http nor https"],
  ["a cloud's metadata", "http://169.254.169.254/latest", "link-local"],
  ["it by another spelling", "http://2852039166/latest", "link-local"],
  ["it inside IPv6", "http://[::ffff:a9fe:a9fe]/latest", "link-local"],
  ["a name that leads there", "http://metadata.example/latest", "link-local"],
  ["a password", "http://u:p@example.org/", "password"],
])("a redirect to %s is refused", async (_, location, expected) => {
  await using registry = await FakeRegistry.start({
    hook: () => ({ status: 307, headers: { Location: location } }),
  });
  const resolve = async () => [{ address: "169.254.169.254", family: 4 }];
  const repository = quickClient({ resolve }).repository(parseReference(`${registry.host}/app`));
  const fault = await faultOf(Array.fromAsync(repository.blob({ digest: sha256("x"), size: 1 })));
  expect(fault.code).toBe("denied");
  expect(fault.message).toContain(expected);
});

test("a public registry may send us neither to this machine nor to a private network", async () => {
  await using inside = await FakeRegistry.start({ hook: () => ({ status: 200, body: "secret" }) });
  // A public address cannot be had in a test: the proxy stands for the way there.
  const redirect = `HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:${inside.port}/\r\n\r\n`;
  const proxy = createServer((socket) => {
    socket.on("data", () => socket.write(redirect)).on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  const port = typeof address === "object" ? address?.port : 0;
  const directory = certsDirectory({
    "registry.example/hosts.toml": 'server = "http://registry.example"',
  });
  const client = quickClient({ directory, environment: { http_proxy: `127.0.0.1:${port}` } });
  const repository = client.repository(parseReference("registry.example/app"));
  const fault = await faultOf(Array.fromAsync(repository.blob({ digest: sha256("x"), size: 6 })));
  proxy.close();
  expect(fault.code).toBe("denied");
  expect(fault.message).toContain("loopback");
  expect(inside.requests).toEqual([]);
});

test("redirects without end are refused", async () => {
  await using registry = await FakeRegistry.start({
    hook: ({ path }) => ({ status: 307, headers: { Location: `${path}x` } }),
  });
  const repository = quickClient().repository(parseReference(`${registry.host}/app`));
  const fault = await faultOf(repository.resolve("v1"));
  expect(fault.message).toContain("redirects more than 5 times");
  expect(registry.requests.length).toBe(6);
});

test("a redirect from https to http is refused", async () => {
  await using registry = await FakeRegistry.start({
    tls: server,
    hook: () => ({ status: 302, headers: { Location: "http://example.org/" } }),
  });
  const directory = certsDirectory({ [`${registry.host}/ca.crt`]: ca.cert });
  const fault = await faultOf(appOf(registry, { directory }).resolve("v1"));
  expect(fault.code).toBe("denied");
  expect(fault.message).toContain("not encrypted");
});

test.each(["http", "https"])(
  "https goes through an %s proxy by CONNECT, with its password",
  async (scheme) => {
    await using registry = await FakeRegistry.start({ tls: await issue(ca, "registry.example") });
    registry.addManifest("app", "v1", emptyManifest);
    const heads: string[] = [];
    const serve = (socket: Socket) => {
      socket.once("data", (head: Buffer) => {
        heads.push(head.toString());
        const upstream = connect(registry.port, "127.0.0.1", () => {
          socket.write("HTTP/1.1 200 Connected\r\n\r\n");
          socket.pipe(upstream).pipe(socket);
        });
        upstream.on("error", () => socket.destroy());
        socket.on("close", () => upstream.destroy());
      });
      socket.on("error", () => socket.destroy());
    };
    const proxy = scheme === "http" ? createServer(serve) : createTlsServer(server, serve);
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = proxy.address();
    const port = typeof address === "object" ? address?.port : 0;
    const directory = certsDirectory({ "registry.example/ca.crt": ca.cert });
    const environment = { HTTPS_PROXY: `${scheme}://me:s%20ecret@127.0.0.1:${port}` };
    const client = quickClient({ directory, environment });
    const repository = client.repository(parseReference("registry.example/app"));
    expect((await repository.resolve("v1")).size).toBeGreaterThan(0);
    expect(heads[0]).toStartWith("CONNECT registry.example:443 HTTP/1.1\r\n");
    expect(heads[0]).toContain(`Basic ${Buffer.from("me:s ecret").toString("base64")}`);
    proxy.close();
  },
);

test.each([
  ["https://registry.example/", "", "http://proxy.example:8/"],
  ["http://registry.example/", "", "http://plain.example/"],
  ["https://registry.example/", "registry.example", undefined],
  ["https://a.registry.example/", "registry.example", undefined],
  ["https://a.registry.example/", ".registry.example", undefined],
  ["https://notregistry.example/", "registry.example", "http://proxy.example:8/"],
  ["https://registry.example:5000/", "registry.example:5000", undefined],
  ["https://registry.example/", "registry.example:5000", "http://proxy.example:8/"],
  ["https://10.1.2.3/", "10.0.0.0/8", undefined],
  ["https://11.1.2.3/", "10.0.0.0/8, 11.1.2.4", "http://proxy.example:8/"],
  ["https://[fd00::1]/", "fd00::/8", undefined],
  ["https://registry.example/", "a.example,*", undefined],
  ["https://127.0.0.1:5000/", "", undefined],
  ["https://localhost/", "", undefined],
])("the proxy for %s without %p is %p", (url, exceptions, expected) => {
  const environment = {
    HTTPS_PROXY: "proxy.example:8",
    http_proxy: "http://plain.example",
    NO_PROXY: exceptions,
  };
  expect(proxyFor(new URL(url), environment)?.href).toBe(expected as string);
});

test.each([
  ["127.0.0.1", "loopback"],
  ["0.0.0.0", "loopback"],
  ["::1", "loopback"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::7f00:1", "loopback"],
  ["169.254.169.254", "link-local"],
  ["fe80::1", "link-local"],
  ["64:ff9b::a9fe:a9fe", "link-local"],
  ["2002:a9fe:a9fe::1", "link-local"],
  ["10.0.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.168.0.1", "private"],
  ["100.64.0.1", "private"],
  ["fd12::1", "private"],
  ["172.32.0.1", "public"],
  ["8.8.8.8", "public"],
  ["2001:4860:4860::8888", "public"],
])("%s is %s", (address, kind) => {
  expect(addressKind(address) as string).toBe(kind);
});
