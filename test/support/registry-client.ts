/**
 * The parts that tests of the registry client share: a client that does not wait long, and things
 * to send.
 */
import { Fault } from "#base";
import { mediaTypes, parseReference, sha256 } from "#image";
import {
  createRegistryClient,
  openHostDirectory,
  type RegistryClient,
  type RegistryClientOptions,
  type Repository,
} from "#registry-client";
import type { FakeRegistry } from "./registry-fake.ts";

export const quickRetries = { attempts: 4, base: 1, max: 2, longest: 100 };

export interface QuickOptions extends Partial<RegistryClientOptions> {
  /** A certs.d. */
  readonly directory?: string;
  readonly insecure?: readonly string[];
}

/** A client without any configuration of the machine's, whose tries follow one another at once. */
export function quickClient({
  directory,
  insecure,
  ...options
}: QuickOptions = {}): RegistryClient {
  return createRegistryClient({
    hosts: openHostDirectory({ directories: directory === undefined ? [] : [directory], insecure }),
    retries: quickRetries,
    timeouts: { connect: 30_000, response: 30_000, stall: 30_000 },
    ...options,
  });
}

/** The repository "app" of a registry in this process. */
export function appOf(registry: FakeRegistry, options: QuickOptions = {}): Repository {
  return quickClient(options).repository(parseReference(`${registry.host}/app`));
}

/** The Fault that a promise ends in; anything else is the test's failure. */
export async function faultOf(work: Promise<unknown>): Promise<Fault> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

export async function readAll(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source));
}

/** Pseudo-random bytes, so that no part can be mistaken for another. */
export function bytesOf(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0, x = 1; i < size; i++) {
    x = (x * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = x >> 16;
  }
  return bytes;
}

/** As `putBlob` takes it. */
export function sourceOf(bytes: Uint8Array): (offset: number) => AsyncIterable<Uint8Array> {
  return async function* (offset) {
    for (let at = offset; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  };
}

/** The least that is a manifest. */
export const emptyManifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  config: { mediaType: mediaTypes.config, digest: sha256("{}"), size: 2 },
  layers: [],
};

/** Many turns of the event loop: enough for a sender that nothing holds back to send everything. */
export async function manyTurns(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
