/**
 * registry-server/auth: the rights of users. Users come from an htpasswd file (bcrypt), rights from
 * an access file (default deny), and both are read again when they change. Clients send passwords
 * (basic) or tokens, which `/token` here or another issuer gives out.
 */

export { passwordEntry } from "./htpasswd.ts";
export {
  type ExternalIssuer,
  openAuthorization,
} from "./open-authorization.ts";
