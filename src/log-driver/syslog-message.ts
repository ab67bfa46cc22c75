import type { LogEncoder, LogEntry, LogSubject, LogTarget } from "./target.ts";

type SyslogTarget = Extract<LogTarget, { readonly driver: "syslog" }>;

/** RFC 5424, section 6.2.1. */
const [errorSeverity, infoSeverity] = [3, 6] as const;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Messages as Docker's driver syslog writes them: each ends in a newline, over TLS in the two RFC 5424
 * formats with its length before it (RFC 5425, section 4.3). The time is the entry's.
 */
export function syslogEncoder(target: SyslogTarget, subject: LogSubject): LogEncoder {
  const isCounted =
    target.format.startsWith("rfc5424") && target.endpoints.some(({ kind }) => kind === "tls");
  return (entries) => ({
    packets: entries.map((entry) => {
      const head = Buffer.from(headerOf(target, subject, entry));
      const message = Buffer.concat([head, entry.text, Buffer.from("\n")]);
      if (!isCounted) return message;
      return Buffer.concat([Buffer.from(`${message.byteLength} `), message]);
    }),
  });
}

function headerOf(target: SyslogTarget, { hostname, tag }: LogSubject, entry: LogEntry): string {
  const severity = entry.stream === "stderr" ? errorSeverity : infoSeverity;
  const priority = `<${target.facility * 8 + severity}>`;
  const { pid } = process;
  switch (target.format) {
    case "":
      return `${priority}${stamp(entry.time)} ${tag}[${pid}]: `;
    case "rfc3164":
      return `${priority}${stamp(entry.time)} ${hostname} ${tag}[${pid}]: `;
    case "rfc5424":
    case "rfc5424micro": {
      const time = isoTime(entry.time, target.format === "rfc5424micro");
      return `${priority}1 ${time} ${hostname} ${tag} ${pid} ${tag} - `;
    }
  }
}

const two = (value: number) => String(value).padStart(2, "0");

function clockOf(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** RFC 3164, section 4.1.2: in the zone of this host. */
function stamp(time: bigint): string {
  const date = new Date(Number(time / 1_000_000n));
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clockOf(date)}`;
}

/** RFC 3339 in the zone of this host, as Go writes it. */
function isoTime(time: bigint, micro: boolean): string {
  const date = new Date(Number(time / 1_000_000n));
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const fraction = micro ? `.${String((time / 1000n) % 1_000_000n).padStart(6, "0")}` : "";
  const offset = -date.getTimezoneOffset();
  const minutes = Math.abs(offset);
  const zone =
    offset === 0
      ? "Z"
      : `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return `${day}T${clockOf(date)}${fraction}${zone}`;
}
