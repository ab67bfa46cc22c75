import { formatBytes, shortId } from "#base";
import type { Verb } from "../command.ts";
import { ellipsis, humanSince } from "../human.ts";
import { printListing } from "../listing.ts";
import type { historyFlags } from "../table/images.ts";

const heads = {
  ID: "IMAGE",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};

export const history: Verb<typeof historyFlags> = async (context, { flags, args }) => {
  const { platform } = flags;
  const entries = await context.client.images.history(args[0] ?? "", { platform });
  const trunc = !flags["no-trunc"];
  const human = flags.human;
  const rows = entries.map((entry) => {
    const createdAt = new Date(entry.Created * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    const by = entry.CreatedBy.replaceAll("\t", " ");
    return {
      ID: trunc ? shortId(entry.Id) : entry.Id,
      CreatedAt: createdAt,
      CreatedSince: human ? humanSince(entry.Created * 1000) : createdAt,
      CreatedBy: trunc ? ellipsis(by, 45) : by,
      Size: human ? formatBytes(entry.Size) : String(entry.Size),
      Comment: entry.Comment,
    };
  });
  if (flags.quiet && !flags.format && !flags.json) {
    await context.out.write(rows.map((row) => `${row.ID}\n`).join(""));
    return 0;
  }
  const table = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
  await printListing(
    context,
    { table, heads: human ? heads : { ...heads, CreatedSince: heads.CreatedAt }, rows },
    flags,
  );
  return 0;
};
