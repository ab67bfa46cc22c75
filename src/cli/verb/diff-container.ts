import type { Context } from "../context.ts";
import { printListing } from "../listing.ts";

const heads = { Type: "CHANGE TYPE", Path: "PATH" };
const letters = ["C", "A", "D"];

/** The changes of a container: a line each with C (changed), A (added) or D (deleted). */
export async function diffContainer(
  context: Context,
  ref: string,
  format: string | undefined,
): Promise<void> {
  const changes = await context.client.containers.changes(ref);
  const rows = changes
    .map(({ Path, Kind }) => ({ Type: letters[Kind] ?? "?", Path }))
    .toSorted((a, b) => (a.Path < b.Path ? -1 : 1));
  const table = "table {{.Type}}\t{{.Path}}";
  const written = format || "{{.Type}} {{.Path}}";
  await printListing(context, { table, heads, rows }, { format: written, json: false });
}
