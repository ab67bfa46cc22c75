import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#base";
import { issueClient, issueServer, namesFor, openAuthority, writePair } from "#certificate";
import type { CertificateRequest, IssuedCertificates } from "#cli";

/**
 * Makes the certificates of an engine and of one client of it, in PEM, under the names that Docker
 * gives them; keys are for their owner only. The authority is made once, so that what it signed
 * before stays valid; the other two are made anew. `invalid` when the authority's files are
 * damaged, or it ends before what it would sign.
 */
export async function issueEngineCertificates(
  request: CertificateRequest,
): Promise<IssuedCertificates> {
  const { directory, client, days } = request;
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(client))
    throw new Fault(
      "invalid",
      `"${client}" is not a name for a client: use letters, digits, and _ . -`,
    );
  const hosts = request.hosts.length > 0 ? request.hosts : namesFor("0.0.0.0");
  const names = [...new Set([...hosts, "localhost", "127.0.0.1"])];
  const bad = names.find(
    (name) => !/^[A-Za-z0-9*]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$|^::1$/.test(name),
  );
  if (bad !== undefined)
    throw new Fault(
      "invalid",
      `"${bad}" is neither a host name nor an address: give it without a scheme and a port`,
    );
  const clientDirectory = join(directory, client);
  await mkdir(clientDirectory, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    throw new Fault("invalid", `cannot make ${clientDirectory}: ${cause.message}`, {
      about: directory,
      cause,
    });
  });
  const now = Date.now();
  const ca = { cert: join(directory, "ca.pem"), key: join(directory, "ca-key.pem") };
  const authority = await openAuthority({ files: ca, purpose: "engine", now, days });
  // An hour back: clocks differ.
  const validity = { from: new Date(now - 3_600_000), days };
  await writePair(await issueServer({ names, authority, validity }), {
    cert: join(directory, "server-cert.pem"),
    key: join(directory, "server-key.pem"),
  });
  const pair = await issueClient({ commonName: client, authority, validity });
  await writePair(pair, {
    cert: join(clientDirectory, "cert.pem"),
    key: join(clientDirectory, "key.pem"),
  });
  await copyFile(ca.cert, join(clientDirectory, "ca.pem"));
  return { names, clientDirectory };
}
