/** Docker's size in progress: four significant digits, decimal units ("36.65kB", "3.074MB"). */
function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${Number.parseFloat(value.toPrecision(4))}${units[unit]}`;
}

/**
 * Progress as Docker's CLI draws it on a terminal of `columns`: a bar of 50 characters where there
 * is room for it, and the bytes. "" when neither number is known.
 */
export function progressBar(
  { current = 0, total = 0 }: { readonly current?: number; readonly total?: number },
  columns = 200,
): string {
  if (current <= 0 && total <= 0) return "";
  if (total <= 0) return humanSize(current).padStart(8);
  const filled = Math.max(0, Math.min(50, Math.floor(Math.floor((current / total) * 100) / 2)));
  const bar = `[${"=".repeat(filled)}>${" ".repeat(50 - filled)}] `;
  const numbers = `${humanSize(current).padStart(8)}${current > total ? "" : `/${humanSize(total)}`}`;
  return `${columns > 110 ? bar : ""}${numbers}`;
}
