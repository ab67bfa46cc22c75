/**
 * registry/server/auth: who may do what. Users come from an htpasswd file (bcrypt), rights
 * from an access file (default deny), and both are read again when they change. Clients
 * send passwords (basic) or tokens, which `/token` here or another issuer gives out.
 */

export { parseAccessRules } from "./access-rules.ts";
export { passwordEntry } from "./htpasswd.ts";
export {
  type AuthorizationOptions,
  type ExternalIssuer,
  type OpenedAuthorization,
  openAuthorization,
} from "./open-authorization.ts";
