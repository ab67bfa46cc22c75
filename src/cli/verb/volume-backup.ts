import { formatBytes } from "#base";
import { parseReference } from "#image";
import type {
  AuthConfig,
  BackupCreateBody,
  BackupMade,
  BackupRestored,
  BucketBody,
  JsonMessage,
} from "#wire";
import { askPassword } from "../ask-password.ts";
import { ByteProgress } from "../byte-progress.ts";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { parseDuration, type Values } from "../flag.ts";
import { humanDuration, humanSince } from "../human.ts";
import { printListing } from "../listing.ts";
import { absolute, readText } from "../local-file.ts";
import { authFor } from "../registry-auth.ts";
import type {
  volumeBackupFlags,
  volumeBackupsFlags,
  volumePullFlags,
  volumePushFlags,
  volumeRestoreFlags,
} from "../table/volumes.ts";
import { showTransfer } from "../transfer-view.ts";

export const volumePush: Verb<typeof volumePushFlags> = async (context, { flags, args }) => {
  const [volume = "", reference = ""] = args;
  const { tag = "latest", digest } = parseReference(reference);
  if (digest !== undefined) throw new Exit(1, "cannot push to a digest; name a tag");
  const place = await placeOf(context, reference);
  const body = {
    ...place.body,
    Tag: tag,
    Snapshot: flags.snapshot,
    ...(await encryption(context, flags)),
  };
  await showMade(context, volume, await make(context, volume, body, place.auth));
  return 0;
};

export const volumePull: Verb<typeof volumePullFlags> = async (context, { flags, args }) => {
  const [reference = "", volume = ""] = args;
  const { tag = "latest", digest } = parseReference(reference);
  if (digest !== undefined) throw new Exit(1, "cannot pull a volume by a digest; name a tag");
  return await restore(context, { source: reference, volume, tag }, flags);
};

export const volumeBackup: Verb<typeof volumeBackupFlags> = async (context, { flags, args }) => {
  const [volume = "", text = ""] = args;
  const place = await placeOf(context, text);
  const { every, "keep-last": last, "keep-daily": daily } = flags;
  const retention = { KeepLast: last ?? null, KeepDaily: daily ?? null };
  if (every === "off") {
    await context.client.backups.unschedule(volume, place.body.Place);
    return 0;
  }
  if (flags.prune) {
    if (every !== undefined) throw new Exit(1, "conflicting options: --prune and --every");
    const body = { ...place.body, ...retention };
    const { Removed, Freed } = await context.client.backups.prune(volume, body, place);
    await showRemoved(context, Removed);
    if (Freed !== null) await context.err.write(`Freed: ${formatBytes(Freed)}\n`);
    return 0;
  }
  const seconds = every === undefined ? null : secondsOf(every);
  const body: BackupCreateBody = {
    ...place.body,
    ...retention,
    Every: seconds,
    Snapshot: flags.snapshot,
    ...(await encryption(context, flags)),
  };
  const made = await make(context, volume, body, place.auth);
  await showMade(context, volume, made);
  await showRemoved(context, made.Removed);
  await context.out.write(`${made.Tag}\n`);
  return 0;
};

export const volumeRestore: Verb<typeof volumeRestoreFlags> = async (context, { flags, args }) => {
  const [source = "", volume = ""] = args;
  return await restore(context, { source, volume, tag: flags.backup }, flags);
};

export const volumeBackups: Verb<typeof volumeBackupsFlags> = async (context, { flags, args }) => {
  const [text] = args;
  if (text === undefined) return await showSchedules(context, flags);
  const { body, auth } = await placeOf(context, text);
  const found = await context.client.backups.list(body, { auth });
  const rows = found.map(({ Tag, Volume, Created }) => ({
    Name: Tag,
    Volume,
    CreatedAt: Created,
    Created: humanSince(Date.parse(Created)),
  }));
  const heads = { Name: "BACKUP", Volume: "VOLUME", Created: "CREATED", CreatedAt: "CREATED AT" };
  const table = "table {{.Name}}\t{{.Volume}}\t{{.Created}}";
  await printListing(context, { table, heads, rows }, flags);
  return 0;
};

async function showSchedules(
  context: Context,
  flags: Values<typeof volumeBackupsFlags>,
): Promise<number> {
  const rows = (await context.client.backups.schedules()).map((each) => ({
    ...each,
    Every: humanDuration(each.Every * 1000),
    EverySeconds: each.Every,
    LastRun: each.Last === "" ? "never" : humanSince(Date.parse(each.Last)),
    Status: each.Error === "" ? "ok" : `failed: ${each.Error}`,
  }));
  const heads = {
    ...{ Volume: "VOLUME", Place: "PLACE", Every: "EVERY", LastRun: "LAST RUN", Next: "NEXT" },
    ...{ Status: "STATUS", Tag: "BACKUP", Encrypted: "ENCRYPTED", Snapshot: "SNAPSHOT" },
    ...{ KeepLast: "KEEP LAST", KeepDaily: "KEEP DAILY" },
  };
  const table = "table {{.Volume}}\t{{.Place}}\t{{.Every}}\t{{.LastRun}}\t{{.Next}}\t{{.Status}}";
  await printListing(context, { table, heads, rows }, flags);
  return 0;
}

interface Place {
  readonly body: { readonly Place: string; readonly Bucket?: BucketBody };
  readonly auth: AuthConfig | undefined;
}

/** A place with what lets us in: keys of a bucket from the environment, credentials as for push. */
async function placeOf(context: Context, text: string): Promise<Place> {
  const place = absolute(text);
  if (place.startsWith("/")) return { body: { Place: place }, auth: undefined };
  if (!place.startsWith("s3://"))
    return { body: { Place: place }, auth: await authFor(context, place) };
  const { env } = context;
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = env;
  if (!id || !secret)
    throw new Exit(
      1,
      "the keys of the bucket are missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  const bucket = {
    AccessKeyId: id,
    SecretAccessKey: secret,
    SessionToken: env.AWS_SESSION_TOKEN ?? null,
    Region: env.AWS_REGION ?? null,
    Endpoint: env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL ?? null,
  };
  return { body: { Place: place, Bucket: bucket }, auth: undefined };
}

function secondsOf(text: string): number {
  const nanoseconds = parseDuration(text);
  if (nanoseconds === undefined)
    throw new Exit(1, `--every ${text}: a duration (as 30m, 6h) or "off" is expected`);
  return Math.floor(nanoseconds / 1e9);
}

async function encryption(
  context: Context,
  flags: Values<typeof volumePushFlags>,
): Promise<Pick<BackupCreateBody, "Recipients" | "Passphrase">> {
  const { "encrypt-to": Recipients, "passphrase-file": file } = flags;
  if (Recipients.length > 0 && file !== undefined)
    throw new Exit(1, "conflicting options: --encrypt-to and --passphrase-file");
  if (file !== undefined) return { Passphrase: await passphrase(context, file) };
  return Recipients.length > 0 ? { Recipients: [...Recipients] } : {};
}

async function passphrase(context: Context, file: string): Promise<string> {
  const text = file === "-" ? await askPassword(context, "Passphrase: ") : readText(file);
  const word = text.replace(/\r?\n$/, "");
  if (word === "") throw new Exit(1, "the passphrase is empty");
  return word;
}

async function restore(
  context: Context,
  request: { readonly source: string; readonly volume: string; readonly tag: string | undefined },
  flags: Values<typeof volumePullFlags>,
): Promise<number> {
  const { source, volume, tag } = request;
  const { identity, "passphrase-file": file, replace } = flags;
  const { body, auth } = await placeOf(context, source);
  const opener =
    file !== undefined
      ? { Passphrase: await passphrase(context, file) }
      : identity.length > 0
        ? { Identities: identity.flatMap((path) => identitiesIn(readText(path))) }
        : {};
  const restored = (await cancellable(async (signal) => {
    const all = { ...body, Tag: tag ?? null, Replace: replace, ...opener };
    const messages = context.client.backups.restore(volume, all, { auth, signal });
    return await lastOf(context, messages);
  })) as BackupRestored;
  await context.err.write(
    `${restored.Tag}: ${restored.Entries} files and directories, ${formatBytes(restored.Received)} received\n`,
  );
  await context.out.write(`${restored.Volume}\n`);
  return 0;
}

/** A file as age-keygen writes it: comments, and identities. */
function identitiesIn(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

async function make(
  context: Context,
  volume: string,
  body: BackupCreateBody,
  auth: AuthConfig | undefined,
): Promise<BackupMade> {
  return (await cancellable(async (signal) =>
    lastOf(context, context.client.backups.create(volume, body, { auth, signal })),
  )) as BackupMade;
}

/**
 * Shows the progress on standard error, where that is no terminal by a line now and then; gives what
 * the last message tells.
 */
async function lastOf(
  context: Context,
  messages: AsyncIterable<JsonMessage>,
): Promise<JsonMessage["aux"]> {
  const { err } = context;
  const progress = new ByteProgress(context);
  let aux: JsonMessage["aux"];
  const seen = async function* () {
    for await (const message of messages) {
      aux = message.aux ?? aux;
      const { id: label = "", progressDetail: { current: done, total } = {} } = message;
      if (!err.isTerminal && done !== undefined) await progress.tell({ label, done, total });
      yield message;
    }
  };
  await showTransfer(err, seen(), { quiet: false });
  if (!aux) throw new Exit(1, "the engine broke off its answer");
  return aux;
}

async function showMade(context: Context, volume: string, made: BackupMade): Promise<void> {
  for (const warning of made.Warnings) await context.err.write(`WARNING: ${warning}\n`);
  const { Size, Chunks, Sent, Digest } = made;
  await context.err.write(
    `${volume}: ${formatBytes(Size)} in ${Chunks} chunks, ${formatBytes(Sent)} sent; digest: ${Digest}\n`,
  );
}

async function showRemoved({ err }: Context, removed: readonly string[]): Promise<void> {
  for (const tag of removed) await err.write(`Removed: ${tag}\n`);
}
