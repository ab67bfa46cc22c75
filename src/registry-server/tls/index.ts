/**
 * registry-server/tls: certificates of a registry: the user's own, or by an authority that
 * is made once below the registry's root and that clients are told to trust.
 */

export { openOwnCertificate } from "./own-certificate.ts";
