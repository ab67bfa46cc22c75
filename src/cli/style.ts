/** The text as it is shown: with the escapes of a colour or weight around it, or unchanged. */
type Paint = (text: string) => string;

/** Colours for a terminal; plain text elsewhere, or when NO_COLOR is set (no-color.org). */
export interface Style {
  readonly enabled: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
}

/** Paints with SGR escapes (ECMA-48) when `enabled`; empty text stays empty. */
export function createStyle(enabled: boolean): Style {
  const paint =
    (on: number, off: number): Paint =>
    (text) =>
      enabled && text !== "" ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    enabled,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
    magenta: paint(35, 39),
    cyan: paint(36, 39),
  };
}
