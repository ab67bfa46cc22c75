import { DockerfileFault, quote } from "./fault.ts";
import type { IgnoreMatcher } from "./ignore.ts";
import type { Instruction } from "./instruction.ts";
import { isReady, type ResolvedFile, type ResolvedStage } from "./resolve-stages.ts";
import type { Report } from "./rules.ts";

interface TransferContext {
  readonly stage: ResolvedStage;
  readonly file: ResolvedFile;
  /** Undefined where nothing of the context is left out. */
  readonly ignored: IgnoreMatcher | undefined;
  readonly report: Report;
}

/** Lengths of digests in hexadecimal digits. */
const digestLengths = new Map([
  ["sha256", 64],
  ["sha384", 96],
  ["sha512", 128],
]);

/** Checks ADD and COPY, their variables expanded. `invalid` for what a build would refuse. */
export function checkTransfer(
  instruction: Instruction<"add" | "copy">,
  { stage, file, ignored, report }: TransferContext,
): void {
  const { kind, sources, chmod, range } = instruction;
  const from = kind === "copy" ? instruction.from : undefined;
  const numbered = /^\d+$/.test(from ?? "") ? file.stages[Number(from)] : undefined;
  const isLate = numbered ? numbered.index >= stage.index : !isReady(from ?? "", stage, file);
  if (from !== undefined && isLate) {
    throw new DockerfileFault(
      `cannot copy from stage ${quote(from)}, it needs to be defined before current stage ${quote(stage.name)}`,
    );
  }
  checkMode(chmod);
  if (kind === "add" && instruction.checksum !== "") checkChecksum(instruction);
  for (const source of sources) {
    if (kind === "copy" && isGitSource(source)) {
      throw new DockerfileFault("source can't be a git ref for COPY");
    }
    if (kind === "copy" && isHttpSource(source)) {
      throw new DockerfileFault("source can't be a URL for COPY");
    }
    if (
      from !== undefined ||
      isGitSource(source) ||
      isHttpSource(source) ||
      !ignored?.ignores(source)
    )
      continue;
    const verb = kind === "copy" ? "Copy" : "Add";
    const detail = `Attempting to ${verb} file ${quote(source)} that is excluded by .dockerignore`;
    report({ rule: "CopyIgnoredFile", detail, range });
  }
}

/** Octal digits, or changes as chmod(1) takes them: "u=rwX,go=rX". */
function checkMode(mode: string): void {
  const isOctal = /^[0-7]+$/.test(mode) && Number.parseInt(mode, 8) <= 0o7777;
  const change = /^[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+$/;
  if (mode === "" || isOctal || mode.split(",").every((part) => change.test(part))) return;
  throw new DockerfileFault(
    `invalid chmod parameter: '${mode}'. it should be octal string and between 0 and 07777`,
  );
}

function checkChecksum({ checksum, sources }: Instruction<"add">): void {
  const [source = "", ...more] = sources;
  if (more.length > 0) {
    throw new DockerfileFault("checksum can't be specified for multiple sources");
  }
  if (isGitSource(source)) return;
  const colon = checksum.indexOf(":");
  const length = digestLengths.get(checksum.slice(0, colon));
  const digits = checksum.slice(colon + 1);
  if (colon <= 0) throw new DockerfileFault("invalid checksum digest format");
  if (length === undefined) throw new DockerfileFault("unsupported digest algorithm");
  if (digits.length !== length) throw new DockerfileFault("invalid checksum digest length");
  if (!/^[0-9a-f]+$/.test(digits)) throw new DockerfileFault("invalid checksum digest format");
  if (!isHttpSource(source)) throw new DockerfileFault("checksum requires HTTP(S) or Git sources");
}

/** Whether a source of ADD is a file on the web. */
export function isHttpSource(source: string): boolean {
  return /^https?:\/\//.test(source) && !isGitSource(source);
}

/** Whether a source of ADD is a git repository, as BuildKit tells. */
export function isGitSource(source: string): boolean {
  if (/^(?:git|ssh):\/\/|^[\w.-]+@[\w.-]+:/.test(source)) return true;
  return /^https?:\/\/[^#?]*\.git(?:[?#].*)?$/.test(source);
}
