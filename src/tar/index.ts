/**
 * tar: reads and writes tar archives, as values and bytes.
 *
 * Pure: it never touches a file system and does not judge where a name leads (the code
 * that extracts does; `nameComponents` helps). The reader takes archives of strangers:
 * everything has a limit, and damage ends in a Fault that names the member and place.
 * Names are bytes, one character each ("latin1"), since Linux names need not be UTF-8.
 */

export {
  nameComponents,
  nameToText,
  noTarLimits,
  showName,
  type TarHeader,
  type TarLimits,
  type TarType,
  textToName,
} from "./header.ts";
export { readTar, type TarEntry } from "./read-tar.ts";
export { TarReader, type TarSink } from "./reader.ts";
export { encodeTarHeader, TarWriter } from "./writer.ts";
