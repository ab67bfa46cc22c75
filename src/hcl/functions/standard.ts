import type { HclFunction } from "../scope.ts";
import { stringType } from "../type.ts";
import { textValue } from "../value.ts";
import { attemptFunctions } from "./attempts.ts";
import { collectionFunctions } from "./collections.ts";
import { dateFunctions } from "./dates.ts";
import { define } from "./define.ts";
import { encodingFunctions } from "./encodings.ts";
import { formatFunctions } from "./format.ts";
import { networkFunctions } from "./networks.ts";
import { numberFunctions } from "./numbers.ts";
import { setFunctions } from "./sets.ts";
import { textFunctions } from "./texts.ts";

/** What the functions may ask of the machine. */
export interface Surroundings {
  /** For timestamp(). */
  now(): Date;
  /** For homedir(). */
  readonly homeDirectory: string;
}

/** The standard library of bake's files, by name, in the order of the alphabet. */
export function standardFunctions({ now, homeDirectory }: Surroundings): Map<string, HclFunction> {
  const all: Readonly<Record<string, HclFunction>> = {
    ...attemptFunctions,
    ...collectionFunctions,
    ...dateFunctions(now),
    ...encodingFunctions,
    ...formatFunctions,
    ...networkFunctions,
    ...numberFunctions,
    ...setFunctions,
    ...textFunctions,
    homedir: define("", stringType, () => textValue(homeDirectory)),
  };
  return new Map(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
}
