import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A proxy for package managers that fetches each file once. */
export interface PackageProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes that came from outside. */
  readonly fetched: number;
}

interface Fetched {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What a package manager decides by. */
const keptHeaders = ["content-type", "last-modified", "etag", "date"];

/** Keeps all that it fetched in memory, until it is closed. */
export async function openPackageProxy(): Promise<PackageProxy> {
  const files = new Map<string, Promise<Fetched>>();
  let fetched = 0;
  const fetchFile = async (url: string): Promise<Fetched> => {
    const answer = await fetch(url);
    const body = await answer.bytes();
    fetched += body.byteLength;
    const headers = keptHeaders.flatMap((name) => {
      const value = answer.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    return { status: answer.status, headers: Object.fromEntries(headers), body };
  };
  const answer = async (url: string, response: ServerResponse) => {
    const file = files.get(url) ?? fetchFile(url);
    files.set(url, file);
    const { status, headers, body } = await file;
    response.writeHead(status, { ...headers, "content-length": body.byteLength }).end(body);
  };
  const server = createServer((request, response) => {
    const { method, url = "" } = request;
    if (method !== "GET" || !/^http:\/\//.test(url)) {
      response.writeHead(405).end();
      return;
    }
    answer(url, response).catch((error: Error) => {
      files.delete(url);
      response.writeHead(502).end(error.message);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get fetched() {
      return fetched;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
