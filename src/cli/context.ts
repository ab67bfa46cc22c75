import type { LogFormat, LogLevel } from "#base";
import type { Client, CliSettings, Connection, HostChoice, HostFlags } from "#client";
import type { FsckChecked, FsckFinding } from "#wire";
import type { RegistryServing, ServedRegistry, ServingCommandContext } from "./registry-serving.ts";
import type { RegistryCommandContext, RegistryVerbs } from "./registry-verbs.ts";
import type { Style } from "./style.ts";

/** Standard output or error. Writes arrive in order when each is awaited. */
export interface Sink {
  /** Settles when all of it is written; `canceled` when the other end of a pipe is closed. */
  write(data: string | Uint8Array): Promise<void>;
  readonly isTerminal: boolean;
  /** Characters a line; 80 when it is not a terminal. */
  readonly columns: number;
}

/** In characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Standard input. */
export interface Source {
  readonly isTerminal: boolean;
  /** The bytes that arrive, until the end. To be read once. */
  read(): AsyncIterable<Uint8Array>;
  /** Keys one by one, unechoed, until the returned function is called; undefined when it is not a terminal. */
  raw(): (() => void) | undefined;
  /** The size of the terminal, if there is one. */
  size(): TerminalSize | undefined;
}

/** A command that runs without an engine; gives the exit status. */
export type LocalCommand = (context: LocalContext) => Promise<number>;

/** The settings of a command that needs no engine. */
export interface LocalContext {
  readonly json: boolean;
  readonly out: Sink;
  readonly style: Style;
  readonly dataRoot: string;
  readonly runRoot: string;
}

/** The flags of `thimble daemon`; those that are not given are undefined. */
export interface DaemonOptions {
  readonly dataRoot?: string | undefined;
  readonly runRoot?: string | undefined;
  /** Where to listen: "unix:///path", "tcp://HOST:PORT", "fd://"; absent: thimble.sock in the run root. */
  readonly hosts?: readonly string[] | undefined;
  /** The group of unix sockets: its name or number. */
  readonly group?: string | undefined;
  /** Speak TLS on TCP. */
  readonly tls?: boolean | undefined;
  /** Speak TLS on TCP with clients that have a certificate by the authority in `tlscacert`. */
  readonly tlsverify?: boolean | undefined;
  /** Files in PEM; absent: ca.pem, server-cert.pem and server-key.pem in tls below `configRoot`. */
  readonly tlscacert?: string | undefined;
  readonly tlscert?: string | undefined;
  readonly tlskey?: string | undefined;
  /** Where certs.d and policy.json are; absent: as THIMBLE_CONFIG_ROOT says, else /etc/thimble. */
  readonly configRoot?: string | undefined;
  /**
   * The compression of layers that are made here, and of plain ones when they are pushed, as
   * "gzip:9"; absent: zstd:1.
   */
  readonly layerCompression?: string | undefined;
  /** Registries that may be spoken to in plain http, or whose certificate is not checked. */
  readonly insecureRegistries?: readonly string[] | undefined;
  /** The names of plugins that decide about requests, in the order in which they are asked. */
  readonly authorizationPlugins?: readonly string[] | undefined;
  /** "HOST:PORT": also serves metrics for Prometheus there, at /metrics. */
  readonly metricsAddr?: string | undefined;
  /** A registry to serve beside the engine, kept in the data root. */
  readonly registry?: Pick<ServedRegistry, "addr" | "htpasswd" | "access" | "tls-own"> | undefined;
  /** Absent: info. */
  readonly logLevel?: LogLevel | undefined;
  /** Absent: text. */
  readonly logFormat?: LogFormat | undefined;
  /** The log level debug, which `info` shows. */
  readonly debug?: boolean | undefined;
  /** Absent: daemon.json below `configRoot`, which may be missing. */
  readonly configFile?: string | undefined;
  /** What further flags say, by the keys of the configuration file and in its form. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** Only says whether flags and file are right. */
  readonly validate?: boolean | undefined;
}

/** The certificates that `thimble system cert` makes. */
export interface CertificateRequest {
  readonly directory: string;
  /** Names and addresses by which clients reach the engine; none: those of this machine. */
  readonly hosts: readonly string[];
  /** The client's name; its files are in the directory of that name. */
  readonly client: string;
  readonly days: number;
}

/** What was made: whom the engine's certificate is for, and where the client's files are. */
export interface IssuedCertificates {
  readonly names: readonly string[];
  readonly clientDirectory: string;
}

/** Units of systemd for the engine: to be made or removed. */
export interface UnitRequest {
  readonly action: "install" | "uninstall";
  /** Of the machine's files; absolute. */
  readonly root: string;
  /** Of the socket. */
  readonly group: string;
  /** The file that starts thimble; absolute. */
  readonly program: string;
}

/** The steps of a request, in this order; none when there is nothing to do. */
export interface UnitChange {
  readonly before: readonly (readonly string[])[];
  readonly write: readonly { readonly path: string; readonly text: string }[];
  readonly remove: readonly string[];
  readonly after: readonly (readonly string[])[];
}

/** The program that the CLI is the front of: its version, its environment, its streams, and its own commands. */
export interface CliOptions {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Commands of this machine, loaded on use. */
  readonly local: {
    daemon(options: DaemonOptions): Promise<number>;
    /** Changes systemd's units of the engine, unless it is a rehearsal; gives the steps. */
    daemonUnits(
      request: Omit<UnitRequest, "program">,
      options: { readonly isRehearsal: boolean },
    ): Promise<UnitChange>;
    doctor: LocalCommand;
    /** Checks a data root that no engine uses. */
    fsck(request: {
      readonly dataRoot: string;
      readonly repair: boolean;
      readonly deep: boolean;
      readonly onFinding: (finding: FsckFinding) => void;
    }): Promise<FsckChecked>;
    certificates(request: CertificateRequest): Promise<IssuedCertificates>;
    registryVerbs(context: RegistryCommandContext): Promise<RegistryVerbs>;
    registryServing(context: ServingCommandContext): Promise<RegistryServing>;
  };
  /**
   * Starts an engine that listens on `socket`, in the background, and settles once it
   * answers. Called when nothing does, and only for a socket of this machine.
   */
  startDaemon(options: { readonly socket: string }): Promise<void>;
  readonly stdin?: Source;
  readonly stdout?: Sink;
  readonly stderr?: Sink;
}

/** The engine, the streams and the settings that a verb works with. */
export interface Context {
  /** Opened on first use. */
  readonly client: Client;
  /** Makes connections ahead, while the program is still busy with itself; where no engine listens it does nothing. */
  expectCalls(count: number): void;
  /** Found on first use: a context that is missing is a fault then. */
  readonly host: HostChoice;
  /** The flags before the command that name the engine. */
  readonly hostFlags: HostFlags;
  /** A connection to the engine, which starts as with `client`. */
  dial(): Promise<Connection>;
  readonly stdin: Source;
  readonly out: Sink;
  readonly err: Sink;
  readonly style: Style;
  /** What config.json says; read on first use. */
  readonly settings: CliSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly options: CliOptions;
}
