import {
  type AuthConfig,
  type BackupCreateBody,
  type BackupEntry,
  type BackupListBody,
  type BackupPruneBody,
  type BackupRestoreBody,
  type BackupScheduleEntry,
  type BackupsPruned,
  encodeRegistryAuth,
  type JsonMessage,
} from "#wire";
import type { Transport } from "./transport.ts";

/** How to reach a place of backups. */
export interface BackupOptions {
  /** Credentials for a registry. */
  readonly auth?: AuthConfig | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Backups of volumes; thimble only. A place is a directory of the engine's machine, a repository or a bucket. */
export class BackupsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes a backup, telling its progress; the last message has `aux`, or an error. */
  create(
    volume: string,
    body: BackupCreateBody,
    options: BackupOptions = {},
  ): AsyncGenerator<JsonMessage> {
    return this.#progress(`${at(volume)}/backup`, body, options);
  }

  /** Makes a volume of a backup; messages as of `create`. */
  restore(
    volume: string,
    body: BackupRestoreBody,
    options: BackupOptions = {},
  ): AsyncGenerator<JsonMessage> {
    return this.#progress(`${at(volume)}/restore`, body, options);
  }

  /** Removes old backups of a volume. */
  prune(
    volume: string,
    body: BackupPruneBody,
    options: BackupOptions = {},
  ): Promise<BackupsPruned> {
    return this.#transport.json(call(`${at(volume)}/backup/prune`, body, options));
  }

  /** The backups at a place, newest first. */
  list(body: BackupListBody, options: BackupOptions = {}): Promise<readonly BackupEntry[]> {
    return this.#transport.json(call("/thimble/v1/backups", body, options));
  }

  /** The backups that the engine makes by itself. */
  schedules(): Promise<readonly BackupScheduleEntry[]> {
    return this.#transport.json({ method: "GET", path: "/thimble/v1/backups" });
  }

  /** Ends a schedule; `not_found` when there is none. */
  async unschedule(volume: string, place: string): Promise<void> {
    await this.#transport.done({
      method: "DELETE",
      path: `${at(volume)}/backup`,
      query: { place },
    });
  }

  async *#progress(
    path: string,
    body: BackupCreateBody | BackupRestoreBody,
    options: BackupOptions,
  ): AsyncGenerator<JsonMessage> {
    const messages = this.#transport.messages<JsonMessage>(call(path, body, options));
    for await (const { value } of messages) yield value;
  }
}

function at(volume: string): string {
  return `/thimble/v1/volumes/${encodeURIComponent(volume)}`;
}

function call(path: string, json: object, { auth, signal }: BackupOptions) {
  const headers = auth && { "X-Registry-Auth": encodeRegistryAuth(auth) };
  return { method: "POST", path, json, signal, ...(headers && { headers }) } as const;
}
