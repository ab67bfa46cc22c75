/**
 * certificate: X.509 for TLS: authorities, certificates of servers and of clients, as PEM.
 *
 * Keys are of P-256 and come with each certificate. It checks that a certificate belongs to
 * its key, and writes both so that a crash leaves a key alone, never a certificate. The
 * library that encodes certificates is loaded when one is issued.
 */

export { type CertificatePair, issueClient, issueServer } from "./issue-certificate.ts";
export { namesFor } from "./names-for.ts";
export { openAuthority } from "./open-authority.ts";
export { type PairFiles, readPair, writePair } from "./pair-files.ts";
export { checkPair, readCertificate } from "./read-certificate.ts";
