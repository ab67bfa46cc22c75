/** The fields of one CSV line: quotes let a value hold a comma. */
export function csvFields(line: string): string[] {
  const fields: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    fields.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
  }
  return fields;
}
