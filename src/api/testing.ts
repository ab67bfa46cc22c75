/** An API server before an engine in memory, for the tests of this module. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "#base";
import { createFakeEngine, type FakeEngine } from "../../test/support/fake-engine.ts";
import { type RawClient, rawClient } from "../../test/support/http-raw.ts";
import { type ApiServerOptions, createApiServer } from "./server.ts";

export interface TestServer extends AsyncDisposable {
  readonly engine: FakeEngine;
  readonly socket: string;
  /** Lines of the server's log. */
  readonly logged: string[];
  /** A request whose body, if any, is sent as JSON. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  raw(): Promise<RawClient>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; its `message` for an error. */
  readonly json: unknown;
}

export async function testServer(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), "thimble-api-"));
  const socket = join(directory, "s");
  const engine = createFakeEngine();
  const logged: string[] = [];
  const log = createLog("debug", (line) => void logged.push(line));
  const server = createApiServer({ engine, log, version: "0.0.0", ...options });
  await server.listen([{ kind: "unix", path: socket, mode: 0o600 }]);
  return {
    engine,
    socket,
    logged,
    raw: () => rawClient(socket),
    async call(method, path, body) {
      const response = await fetch(`http://d${path}`, {
        unix: socket,
        method,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { "Content-Type": "application/json" },
        }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: parsed(text) };
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
