/**
 * An engine on TCP with TLS, by the real docker CLI and other clients: certificates that are asked
 * for, streams that are taken over, and clients that may not connect.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueEngineCertificates } from "#local";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { freePort } from "../support/free-port.ts";
import { authority, issue } from "../support/registry-certificates.ts";

const here = describe.skipIf(!dockerPath || !isRoot || process.env.DOCKER_HOST !== undefined);

here("an engine on TCP with TLS [needs docker CLI]", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-tls-"));
  const certificates = join(directory, "tls");
  let target: DockerTarget;
  let port: number;
  let env: Record<string, string>;
  let name: string;

  beforeAll(async () => {
    const made = { directory: certificates, hosts: ["localhost"], client: "client", days: 1 };
    const { clientDirectory } = await issueEngineCertificates(made);
    port = await freePort();
    const daemonFlags = ["-H", `tcp://0.0.0.0:${port}`, "--tlsverify", "--config-root", directory];
    target = await openDockerTarget({ daemonFlags });
    env = withCertificates(clientDirectory);
    name = target.name();
    await target.ok(["run", "-d", "--name", name, image, "sleep", "1000"], { env });
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const withCertificates = (path: string) => ({
    DOCKER_HOST: `tcp://localhost:${port}`,
    DOCKER_CERT_PATH: path,
    DOCKER_TLS_VERIFY: "1",
  });
  const docker = (...args: string[]) => target.docker(args, { env });

  test("exec passes output, errors and status", async () => {
    expect(await docker("exec", name, "sh", "-c", "echo o; echo e >&2; exit 9")).toEqual({
      status: 9,
      stdout: "o\n",
      stderr: "e\n",
    });
  });

  test("the end of the input is passed on, and the output after it comes back", async () => {
    const input = "y".repeat(3_000_000);
    const script = "wc -c; echo after";
    const { stdout } = await target.docker(["exec", "-i", name, "sh", "-c", script], {
      env,
      input,
    });
    expect(stdout).toBe("3000000\nafter\n");
    const run = ["run", "-i", "--rm", image, "sh", "-c", script];
    expect((await target.docker(run, { env, input })).stdout).toBe("3000000\nafter\n");
  });

  test("a large output comes whole", async () => {
    const { status, stdout } = await docker("run", "--rm", image, "sh", "-c", "seq 1 1000000");
    expect([status, stdout.length]).toEqual([0, 6_888_896]);
    expect(stdout).toEndWith("\n999999\n1000000\n");
  });

  test("attach follows a container until it ends", async () => {
    const attached = target.name();
    await target.ok([
      "create",
      "-i",
      "--name",
      attached,
      image,
      "sh",
      "-c",
      "read a; echo got $a; exit 3",
    ]);
    const session = target.session(["start", "-ai", attached], env);
    session.send("line\n");
    expect(await session.ended).toMatchObject({ status: 3, stdout: "got line\n" });
  });

  test("clients without a certificate of the authority are refused", async () => {
    const other = await authority();
    const { cert, key } = await issue(other, "client");
    const foreign = join(directory, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "ca.pem"), await Bun.file(join(certificates, "ca.pem")).text());
    writeFileSync(join(foreign, "cert.pem"), cert);
    writeFileSync(join(foreign, "key.pem"), key, { mode: 0o600 });
    const refused = await target.docker(["version"], { env: withCertificates(foreign) });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /remote error: tls: (certificate required|unknown certificate authority)/,
    );
    const none = fetch(`https://localhost:${port}/_ping`, {
      tls: { ca: await Bun.file(join(certificates, "ca.pem")).text() },
    });
    expect(
      await none.then(
        () => "answered",
        () => "refused",
      ),
    ).toBe("refused");
  });

  test("a client that trusts another authority does not connect", async () => {
    const wrong = join(directory, "wrong");
    mkdirSync(wrong);
    for (const file of ["cert.pem", "key.pem"])
      writeFileSync(
        join(wrong, file),
        await Bun.file(join(env.DOCKER_CERT_PATH ?? "", file)).text(),
        { mode: 0o600 },
      );
    writeFileSync(join(wrong, "ca.pem"), (await authority()).cert);
    const { status, stderr } = await target.docker(["version"], { env: withCertificates(wrong) });
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("certificate signed by unknown authority"),
    ]);
  });

  test("an expired certificate of a client is refused", async () => {
    const expired = join(directory, "expired");
    const { issueClient, readPair, writePair } = await import("#certificate");
    const { cert = "", key = "" } = await readPair({
      cert: join(certificates, "ca.pem"),
      key: join(certificates, "ca-key.pem"),
    });
    mkdirSync(expired);
    const validity = { from: new Date(Date.now() - 3 * 86_400_000), days: 1 };
    const pair = await issueClient({ commonName: "late", validity, authority: { cert, key } });
    await writePair(pair, { cert: join(expired, "cert.pem"), key: join(expired, "key.pem") });
    writeFileSync(join(expired, "ca.pem"), cert);
    const { status, stderr } = await target.docker(["version"], { env: withCertificates(expired) });
    expect([status, stderr]).toEqual([1, expect.stringContaining("error during connect")]);
  });

  test("a client that speaks plain HTTP is told so", async () => {
    const { status, stderr } = await target.docker(["ps"], {
      env: { DOCKER_HOST: `tcp://localhost:${port}` },
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("Client sent an HTTP request to an HTTPS server."),
    ]);
  });
});
