import { statSync } from "node:fs";
import { defined } from "#base";
import { invalid, parseGoUrl, splitHostPort } from "./go-values.ts";
import type { Endpoint, LogOptions, LogTarget, SyslogFormat } from "./target.ts";

/** RFC 5424, section 6.2.1, under the names of syslog(3). */
const facilities = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"],
  ...["authpriv", "ftp"],
];
const daemon = 3;
const firstLocal = 16;

/** Where the syslog daemon of this host listens, in the order of Go's log/syslog. */
const localEndpoints: readonly Endpoint[] = (["unixgram", "unix"] as const).flatMap((kind) =>
  ["/dev/log", "/var/run/syslog", "/var/run/log"].map((path) => ({ kind, path })),
);

/** `invalid`, in Docker's words. A socket's path must exist, as in Docker. */
export function checkSyslog(options: LogOptions): void {
  const { endpoints } = parseSyslog(options);
  const [only] = endpoints;
  if (endpoints.length > 1 || !only || !("path" in only)) return;
  if (!statSync(only.path, { throwIfNoEntry: false }))
    throw invalid(`stat ${only.path}: no such file or directory`, only.path);
}

/** The options of the driver syslog. */
export function parseSyslog(options: LogOptions): LogTarget {
  const endpoints = parseAddress(options["syslog-address"] ?? "");
  const facility = parseFacility(options["syslog-facility"] ?? "");
  const format = options["syslog-format"] ?? "";
  if (!isFormat(format)) throw invalid("Invalid syslog format", format);
  const tls = {
    ...defined({
      ca: options["syslog-tls-ca-cert"],
      certificate: options["syslog-tls-cert"],
      key: options["syslog-tls-key"],
    }),
    skipVerify: options["syslog-tls-skip-verify"] !== undefined,
  };
  return { driver: "syslog", endpoints, facility, format, tls };
}

function isFormat(text: string): text is SyslogFormat {
  return ["", "rfc3164", "rfc5424", "rfc5424micro"].includes(text);
}

function parseAddress(text: string): readonly Endpoint[] {
  if (text === "") return localEndpoints;
  const { scheme, host, path } = parseGoUrl(text);
  if (scheme === "unix" || scheme === "unixgram") return [{ kind: scheme, path }];
  if (scheme !== "tcp" && scheme !== "udp" && scheme !== "tcp+tls")
    throw invalid(`unsupported scheme: '${scheme}'`, text);
  const place = splitHostPort(host) ?? { host: host.replace(/:$/, ""), port: 514 };
  return [{ kind: scheme === "tcp+tls" ? "tls" : scheme, ...place }];
}

function parseFacility(text: string): number {
  if (text === "") return daemon;
  const named = facilities.indexOf(text);
  if (named >= 0) return named;
  const local = /^local([0-7])$/.exec(text)?.[1];
  if (local !== undefined) return firstLocal + Number(local);
  if (/^\d+$/.test(text) && Number(text) <= 23) return Number(text);
  throw invalid("invalid syslog facility", text);
}
