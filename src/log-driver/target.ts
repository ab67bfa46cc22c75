/** Where a receiver listens. */
export type Endpoint =
  | {
      readonly kind: "udp" | "tcp" | "tls";
      readonly host: string;
      readonly port: number;
    }
  | { readonly kind: "unix" | "unixgram"; readonly path: string };

/** How the other end of a TLS connection is judged, and what is shown to it: paths of PEM files. */
export interface TlsFiles {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly skipVerify: boolean;
}

interface Receiver {
  /** The first that takes a connection is used. */
  readonly endpoints: readonly Endpoint[];
}

/** The options of a container whose log goes to a receiver. */
export type LogTarget = Receiver &
  (
    | {
        readonly driver: "syslog";
        readonly format: SyslogFormat;
        /** 0 to 23 (RFC 5424, section 6.2.1). */
        readonly facility: number;
        readonly tls: TlsFiles;
      }
    | { readonly driver: "journald" }
    | {
        readonly driver: "gelf";
        readonly compression: "gzip" | "zlib" | "none";
        /** Of zlib: -1 to 9. */
        readonly level: number;
        /** Milliseconds before the next try. */
        readonly retryWait?: number;
      }
    | {
        readonly driver: "fluentd";
        readonly requestAck: boolean;
        readonly subSecond: boolean;
        /** Milliseconds before the first further try. */
        readonly retryWait: number;
        /** Milliseconds until a connection that takes nothing counts as broken; 0: a default. */
        readonly writeTimeout: number;
      }
  );

/** Docker's names of the forms of a syslog message; "" is the form of syslog(3). */
export type SyslogFormat = "" | "rfc3164" | "rfc5424" | "rfc5424micro";

/** The options of a driver as they were given. */
export type LogOptions = Readonly<Record<string, string>>;

/** A container as its receivers are told of it. */
export interface LogSubject {
  readonly id: string;
  readonly name: string;
  /** With its algorithm. */
  readonly imageId: string;
  readonly imageName: string;
  readonly command: string;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  readonly hostname: string;
  readonly tag: string;
  /** The labels and variables that the options choose. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** A line of a log, or a part of a long one. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** Without its newline. */
  readonly text: Uint8Array;
  /** Of a line in parts: `id` is the same for all, `ordinal` counts from 1. */
  readonly part?: { readonly id: string; readonly ordinal: number; readonly last: boolean };
}

/** Entries in the form in which they go out. */
export interface Shipment {
  /** Over a datagram socket one datagram each. */
  readonly packets: readonly Uint8Array[];
  /** The receiver answers with this text once it has them. */
  readonly acknowledgement?: string;
}

/** Makes shipments for one receiver. */
export type LogEncoder = (entries: readonly LogEntry[]) => Shipment;
