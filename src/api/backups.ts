import { defined, Fault, faultOf } from "#base";
import type { BackupPlace, BackupReport, BackupSchedule, KeyHolders, KeyOpener } from "#engine";
import { parseReference } from "#image";
import {
  type BackupEntry,
  type BackupListBody,
  type BackupMade,
  type BackupPruneBody,
  type BackupRestored,
  type BackupScheduleEntry,
  type BackupsPruned,
  loadSchemas,
} from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { withProgress } from "./progress-stream.ts";
import { requestCredentials } from "./registry-auth.ts";
import type { Route } from "./router.ts";

/** thimble's own: backups of volumes, and their schedules. */
export function backupRoutes(context: ApiContext): readonly Route[] {
  const { engine } = context;
  return [
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/backup",
      handle: (exchange) => create(context, exchange),
    },
    {
      method: "DELETE",
      pattern: "/thimble/v1/volumes/:name/backup",
      handle: async (exchange) => {
        const place = exchange.query.text("place");
        if (!place) throw new Fault("invalid", "the query parameter place=PLACE is missing");
        await engine.backups.unschedule(exchange.param("name"), place);
        exchange.sendEmpty(204);
      },
    },
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/restore",
      handle: (exchange) => restore(context, exchange),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/backup/prune",
      handle: (exchange) => prune(context, exchange),
    },
    {
      method: "GET",
      pattern: "/thimble/v1/backups",
      handle: (exchange) => exchange.sendJson(200, engine.backups.schedules().map(wireSchedule)),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/backups",
      handle: (exchange) => list(context, exchange),
    },
  ];
}

async function create({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { backupCreateSchema } = await loadSchemas();
  const body = await exchange.json(backupCreateSchema);
  const { Recipients, Passphrase } = body;
  if (Recipients?.length && Passphrase)
    throw new Fault(
      "invalid",
      "a backup is encrypted for recipients or with a passphrase, not both",
    );
  const holders: KeyHolders | undefined = Passphrase
    ? { passphrase: Passphrase }
    : Recipients?.length
      ? { recipients: Recipients }
      : undefined;
  const request = {
    volume: exchange.param("name"),
    place: placeOf(exchange, body),
    tag: body.Tag ?? undefined,
    every: body.Every ?? undefined,
    fromSnapshot: body.Snapshot ?? undefined,
    holders,
    retention: retentionOf(body),
  };
  await withProgress(exchange, async () => {
    const made = await engine.backups.create(request, reporter(exchange), exchange.signal);
    const aux: BackupMade = {
      Tag: made.tag,
      Digest: made.digest,
      Size: made.size,
      Chunks: made.chunks,
      Sent: made.sent,
      Removed: made.removed,
      Warnings: made.warnings,
    };
    exchange.progress({ aux });
  });
}

async function restore({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { backupRestoreSchema } = await loadSchemas();
  const body = await exchange.json(backupRestoreSchema);
  const { Identities, Passphrase } = body;
  const opener: KeyOpener | undefined = Passphrase
    ? { passphrase: Passphrase }
    : Identities?.length
      ? { identities: Identities }
      : undefined;
  const request = {
    volume: exchange.param("name"),
    owner: exchange.owner,
    place: placeOf(exchange, body),
    tag: body.Tag ?? undefined,
    replaces: body.Replace ?? false,
    opener,
  };
  await withProgress(exchange, async () => {
    const restored = await engine.backups.restore(request, reporter(exchange), exchange.signal);
    const { volume, tag, received, entries } = restored;
    const aux: BackupRestored = {
      Volume: volume.name,
      Tag: tag,
      Received: received,
      Entries: entries,
    };
    exchange.progress({ aux });
  });
}

async function prune({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { backupPruneSchema } = await loadSchemas();
  const body = await exchange.json(backupPruneSchema);
  const retention = retentionOf(body);
  if (retention.last === undefined && retention.daily === undefined)
    throw new Fault("invalid", "say which backups stay: --keep-last or --keep-daily");
  const { removed, freed } = await engine.backups.prune(
    { volume: exchange.param("name"), place: placeOf(exchange, body), retention },
    exchange.signal,
  );
  const answer: BackupsPruned = { Removed: removed, Freed: freed ?? null };
  exchange.sendJson(200, answer);
}

async function list({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { backupListSchema } = await loadSchemas();
  const place = placeOf(exchange, await exchange.json(backupListSchema));
  const found = await engine.backups.list(place, exchange.signal);
  const answer: BackupEntry[] = found.map(({ tag, volume, time }) => ({
    Tag: tag,
    Volume: volume,
    Created: secondsText(time.getTime()),
  }));
  exchange.sendJson(200, answer);
}

function placeOf(exchange: Exchange, { Place: text, Bucket }: BackupListBody): BackupPlace {
  const isRegistry = !text.startsWith("/") && !text.startsWith("s3://");
  const domain = isRegistry ? domainOf(text) : undefined;
  const credentials =
    domain === undefined ? undefined : requestCredentials(exchange, domain)(domain);
  const bucket = Bucket && {
    accessKeyId: Bucket.AccessKeyId,
    secretAccessKey: Bucket.SecretAccessKey,
    sessionToken: Bucket.SessionToken ?? undefined,
    region: Bucket.Region ?? undefined,
    endpoint: Bucket.Endpoint ?? undefined,
  };
  return { text, ...defined({ credentials, bucket: bucket ?? undefined }) };
}

/** What is no reference is refused by the engine, which knows the other places. */
function domainOf(text: string): string | undefined {
  try {
    return parseReference(text).domain;
  } catch (error) {
    if (faultOf(error).code === "invalid") return undefined;
    throw error;
  }
}

function retentionOf({ KeepLast, KeepDaily }: Pick<BackupPruneBody, "KeepLast" | "KeepDaily">) {
  return defined({ last: KeepLast ?? undefined, daily: KeepDaily ?? undefined });
}

const words = {
  reading: "Reading",
  sending: "Sent",
  fetching: "Fetching",
  unpacking: "Unpacking",
} as const;

function reporter(exchange: Exchange): BackupReport {
  return ({ step, current, total }) => {
    if (current === 0 && !total) return;
    const progressDetail = { current, ...defined({ total }) };
    exchange.progress({ id: words[step], status: "", progressDetail });
  };
}

function wireSchedule(schedule: BackupSchedule): BackupScheduleEntry {
  const { volume, destination, every, retention, encrypted, last, tag, error, next } = schedule;
  return {
    Volume: volume,
    Place: destination,
    Every: every,
    KeepLast: retention.last ?? null,
    KeepDaily: retention.daily ?? null,
    Encrypted: encrypted,
    Snapshot: schedule.fromSnapshot,
    Last: last === undefined ? "" : secondsText(last),
    Tag: tag ?? "",
    Error: error ?? "",
    Next: secondsText(next),
  };
}

function secondsText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
