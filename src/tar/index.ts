/**
 * tar: reads and writes tar archives, as values and bytes.
 *
 * Pure: it never touches a file system and does not judge where a name leads (that is
 * for who extracts; `nameComponents` helps). The reader takes what strangers send:
 * everything has a limit, and what is damaged ends in a Fault naming member and place.
 * Names are bytes, one character each ("latin1"), since Linux names need not be UTF-8.
 */

export {
  blockSize,
  defaultTarLimits,
  nameComponents,
  nameToText,
  paddingOf,
  showName,
  type TarHeader,
  type TarLimits,
  type TarType,
  textToName,
} from "./header.ts";
export { readTar, type TarEntry } from "./read-tar.ts";
export { TarReader, type TarSink } from "./reader.ts";
export { encodeTarHeader, TarWriter } from "./writer.ts";
