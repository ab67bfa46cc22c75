import { formatBytes } from "#base";
import type { FsckChecked, FsckFinding } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { engineAnswers } from "../engine-answers.ts";
import { Exit } from "../failure.ts";
import type { fsckFlags } from "../table/system.ts";

interface Request {
  readonly repair: boolean;
  readonly deep: boolean;
  readonly onFinding: (finding: FsckFinding) => void;
}

export const fsck: Verb<typeof fsckFlags> = async (context, { flags }) => {
  const { repair, deep, json } = flags;
  const findings: FsckFinding[] = [];
  let printed = Promise.resolve();
  const onFinding = (finding: FsckFinding) => {
    findings.push(finding);
    if (!json) printed = printed.then(() => context.out.write(findingText(context, finding)));
  };
  const { blobs, bytes, layers } = await check(context, flags["data-root"], {
    repair,
    deep,
    onFinding,
  });
  await printed;
  const ok = findings.every(({ repaired }) => repaired);
  const seen = `${count(blobs, "blob")} (${formatBytes(bytes)}) and ${count(layers, "layer")} checked`;
  const text = json
    ? JSON.stringify({ ok, blobs, bytes, layers, findings }, null, 2)
    : `${seen}: ${verdict(context, findings)}`;
  await context.out.write(`${text}\n`);
  return ok ? 0 : 1;
};

/** Asks the engine, if one runs; otherwise checks the data root from here. */
async function check(
  context: Context,
  dataRoot: string | undefined,
  request: Request,
): Promise<FsckChecked> {
  if (dataRoot === undefined && (await engineAnswers(context))) {
    return await askEngine(context, request);
  }
  const root = dataRoot ?? (context.env.THIMBLE_DATA_ROOT || "/var/lib/thimble");
  return await context.options.local.fsck({ dataRoot: root, ...request });
}

async function askEngine(
  context: Context,
  { repair, deep, onFinding }: Request,
): Promise<FsckChecked> {
  for await (const message of context.client.system.fsck({ repair, deep })) {
    if ("error" in message) throw new Exit(1, message.error);
    if ("checked" in message) return message.checked;
    onFinding(message.finding);
  }
  throw new Exit(1, "the engine broke the check off");
}

/** The number of images to name with a finding; a base layer may be that of a thousand. */
const shownImages = 5;

/** Things that nothing needs; a crash leaves them, and the engine's next start removes them. */
const needless: ReadonlySet<string> = new Set(["blob-orphan", "layer-orphan", "leftover"]);

/** A finding as a line for people, with the images it concerns below. */
function findingText({ style }: Context, { kind, message, images, repaired }: FsckFinding): string {
  const mark = repaired
    ? style.green("repaired")
    : needless.has(kind)
      ? style.yellow("needless")
      : style.red("DAMAGED ");
  const more = images.length > shownImages ? ` and ${images.length - shownImages} more` : "";
  const names = `          of ${images.slice(0, shownImages).join(", ")}${more}\n`;
  return `${mark}  ${message}\n${images.length > 0 ? names : ""}`;
}

function verdict({ style }: Context, findings: readonly FsckFinding[]): string {
  if (findings.length === 0) return style.green("all is well");
  const repaired = findings.filter((each) => each.repaired).length;
  return repaired === findings.length
    ? style.green(`${count(repaired, "finding")}, all repaired`)
    : style.bold(`${count(findings.length, "finding")}, ${repaired} repaired`);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
