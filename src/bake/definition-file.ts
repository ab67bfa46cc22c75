/** A file that defines targets, by the name that messages give it. */
export interface DefinitionFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}
