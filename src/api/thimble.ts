import { defined, Fault, faultOf } from "#base";
import { containerCreateSchema } from "#container";
import type { MakeImageRequest } from "#engine";
import { type FsckMessage, PLAN_TYPE, TAR_TYPE } from "#wire";
import { tellPathStat } from "./container-archive.ts";
import { createRequestOf } from "./containers.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { progressMessage, withProgress } from "./progress-stream.ts";
import type { Route } from "./router.ts";
import { imageOf } from "./wording.ts";

/** thimble's own API, for what Docker has no endpoint: /thimble/v1/. */
export function thimbleRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "POST",
      pattern: "/thimble/v1/images/make",
      handle: (exchange) => make(context, exchange),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/containers/plan",
      handle: (exchange) => plan(context, exchange),
    },
    {
      method: "GET",
      pattern: "/thimble/v1/images/*name/archive",
      handle: (exchange) => imageArchive(context, exchange),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/system/fsck",
      handle: (exchange) => fsck(context, exchange),
    },
  ];
}

async function make({ engine, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const result = schemas.imageMakeSchema.safeParse({
    method: query.text("method"),
    reference: query.text("reference"),
    epoch: query.text("epoch"),
    suite: query.text("suite"),
    variant: query.text("variant"),
    mirror: query.text("mirror"),
    keyring: query.text("keyring"),
    include: query
      .all("include")
      .flatMap((each) => each.split(","))
      .filter((each) => each !== ""),
    ...(query.has("cmd") && { cmd: query.all("cmd") }),
  });
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new Fault(
      "invalid",
      `invalid query parameter ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
    );
  }
  const { data } = result;
  const request: MakeImageRequest =
    data.method === "scratch"
      ? {
          method: "scratch",
          reference: data.reference,
          files: exchange.body,
          ...defined({ cmd: data.cmd }),
          ...(data.epoch !== undefined && { created: BigInt(data.epoch) * 1_000_000_000n }),
        }
      : {
          method: "debootstrap",
          reference: data.reference,
          suite: data.suite,
          variant: data.variant,
          include: data.include,
          ...defined({ mirror: data.mirror, keyring: data.keyring }),
        };
  await withProgress(exchange, async () => {
    const report = (progress: Parameters<typeof progressMessage>[0]) =>
      exchange.progress(progressMessage(progress));
    const id = await engine.images.make(request, report, exchange.signal);
    exchange.progress({ aux: { ID: id } });
  });
}

/** The very bytes that a start would send, or their description (`format=json` or `text`). */
async function plan({ engine, describePlan }: ApiContext, exchange: Exchange): Promise<void> {
  const format = exchange.query.text("format") ?? "bytes";
  if (format !== "bytes" && format !== "json" && format !== "text")
    throw new Fault(
      "invalid",
      `invalid query parameter format=${format}: bytes, json or text is expected`,
    );
  const body = await exchange.json(containerCreateSchema, { required: true });
  const bytes = await engine.containers.plan(createRequestOf(exchange, body));
  if (format === "bytes") return exchange.sendBytes(PLAN_TYPE, bytes);
  if (!describePlan)
    throw new Fault(
      "unsupported",
      `plans as ${format} are not supported here: ask for format=bytes`,
    );
  exchange.sendBytes(
    format === "json" ? "application/json" : "text/plain; charset=utf-8",
    Buffer.from(describePlan(bytes, format)),
  );
}

/**
 * Files of an image as a tar; the facts about the path are in the header that Docker uses for
 * containers.
 */
async function imageArchive({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const path = query.text("path");
  if (path === undefined) throw new Fault("invalid", "no path is named: give path=/etc/os-release");
  const ref = exchange.param("name");
  await imageOf(engine, ref);
  await using archive = await engine.images.archive(ref, {
    path,
    follow: query.flag("follow"),
    signal: exchange.signal,
  });
  tellPathStat(exchange, archive);
  await exchange.stream(TAR_TYPE, archive.tar);
}

/** Each finding is a line as soon as it is made; the last line has the numbers of what was read. */
async function fsck({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  exchange.begin("application/json");
  const tell = (message: FsckMessage) => void exchange.write(`${JSON.stringify(message)}\n`);
  try {
    const { blobs, bytes, layers } = await engine.fsck({
      repair: query.flag("repair"),
      deep: query.flag("deep"),
      onFinding: (finding) => tell({ finding }),
      signal,
    });
    tell({ checked: { blobs, bytes, layers } });
  } catch (error) {
    tell({ error: faultOf(error).message });
  }
  exchange.response.end();
}
