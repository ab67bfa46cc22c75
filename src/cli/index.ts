/**
 * cli: the command line, over HTTP only; it never sees the engine.
 *
 * One table (table.ts and table/) lists the commands and flags; parsing, help,
 * suggestions and completion are made from it. Each verb is a file of verb/, imported
 * when it is used: a command pays for itself alone. Commands that need no engine (the
 * daemon itself, doctor) are given to `runCli` from outside.
 *
 * Words: a command has flags and arguments; a verb does its work in a context (client,
 * input, output); a listing is what tables and `--format` print.
 */

export type {
  CertificateRequest,
  CliOptions,
  DaemonOptions,
  IssuedCertificates,
  LocalCommand,
  LocalContext,
  Sink,
  Source,
  TerminalSize,
  UnitChange,
  UnitRequest,
} from "./context.ts";
export type { CollectedRegistry, RegistryServing, ServedRegistry } from "./registry-serving.ts";
export { runCli } from "./run-cli.ts";
export type { Style } from "./style.ts";
