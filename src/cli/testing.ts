import type { CliOptions, Sink, Source } from "./context.ts";

/** A sink that keeps what it is given. */
export class MemorySink implements Sink {
  text = "";
  readonly isTerminal: boolean;
  readonly columns: number;

  constructor(options: { readonly isTerminal?: boolean; readonly columns?: number } = {}) {
    this.isTerminal = options.isTerminal ?? false;
    this.columns = options.columns ?? 80;
  }

  write(data: string | Uint8Array): Promise<void> {
    this.text += typeof data === "string" ? data : Buffer.from(data).toString();
    return Promise.resolve();
  }
}

/** Standard input with this content; no terminal. */
export function textSource(text = ""): Source {
  return {
    isTerminal: false,
    async *read() {
      if (text !== "") yield Buffer.from(text);
    },
    raw: () => undefined,
    size: () => undefined,
  };
}

/** Options for a command line whose output is kept, and which starts nothing. */
export function testOptions(change: Partial<CliOptions> = {}) {
  const stdout = new MemorySink();
  const stderr = new MemorySink();
  const options: CliOptions = {
    version: "1.2.3",
    env: {},
    local: {
      daemon: async () => 0,
      daemonUnits: () => Promise.reject(new Error("no units are to be changed")),
      doctor: async () => 0,
      fsck: async () => ({ blobs: 0, bytes: 0, layers: 0 }),
      certificates: () => Promise.reject(new Error("no certificates are to be made")),
      registryVerbs: () => Promise.reject(new Error("no registry is to be asked")),
      registryServing: () => Promise.reject(new Error("no registry is to be served")),
    },
    startDaemon: () => Promise.reject(new Error("nothing is to be started")),
    stdin: textSource(),
    stdout,
    stderr,
    ...change,
  };
  return { options, stdout, stderr };
}
