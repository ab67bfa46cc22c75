/**
 * api: the engine over HTTP, on unix sockets and TCP: the Docker Engine API 1.24 to 1.51 and
 * thimble's own beside it.
 *
 * It translates and nothing more: requests to the engine's words, its answers and
 * faults to Docker's. Docker's wording, statuses and stream formats live here alone.
 * Words: an exchange is one request and its answer; to hijack is to take its
 * connection over for a raw stream (attach, exec).
 */

export { checkAuthorization } from "./authorization.ts";
export {
  type ListenAddress,
  type OpenListener,
  refuseExposed,
  type TlsSettings,
} from "./listener.ts";
export { type ApiServer, type ApiServerOptions, createApiServer } from "./server.ts";
