import { csvFields } from "../csv-fields.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { buildFlags } from "../table/build.ts";

type Flags = Pick<Values<typeof buildFlags>, "attest" | "provenance" | "sbom">;

/** The attestations of --attest, --provenance and --sbom by their kinds, in BuildKit's words, without those that are turned off. */
export function attestationsOf(flags: Flags): Readonly<Record<string, string>> {
  const found = new Map<string, string | undefined>();
  // As with buildx: the flag of one kind wins over --attest.
  for (const word of flags.attest) {
    const fields = csvFields(word);
    const kind = fields.find((field) => field.startsWith("type="))?.slice("type=".length);
    if (!kind) throw fail("attestation type not specified");
    if (found.has(kind)) throw fail(`duplicate attestation field ${kind}`);
    found.set(kind, isOff(fields) ? undefined : word);
  }
  for (const kind of ["provenance", "sbom"] as const) {
    for (const word of flags[kind]) {
      const isOn = booleans.get(word.toLowerCase());
      const fields = csvFields(word);
      if (isOn === undefined) found.set(kind, isOff(fields) ? undefined : `type=${kind},${word}`);
      else found.set(kind, isOn ? `type=${kind}` : undefined);
    }
  }
  const wanted = [...found].filter((each): each is [string, string] => each[1] !== undefined);
  return Object.fromEntries(wanted);
}

/** As Go reads them. */
const booleans = new Map([
  ...["1", "t", "true"].map((word) => [word, true] as const),
  ...["0", "f", "false"].map((word) => [word, false] as const),
]);

const isOff = (fields: readonly string[]) =>
  fields.some((field) => /^disabled=(?:1|t|true)$/i.test(field));

function fail(why: string): Exit {
  return new Exit(1, `ERROR: failed to build: ${why}`);
}
