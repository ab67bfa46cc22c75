import type { Verb } from "../command.ts";
import { ellipsis } from "../human.ts";
import { printListing } from "../listing.ts";
import { authFor } from "../registry-auth.ts";
import type { searchFlags } from "../table/transfer.ts";

const heads = {
  Name: "NAME",
  Description: "DESCRIPTION",
  StarCount: "STARS",
  IsOfficial: "OFFICIAL",
};

const widest = 45;

export const search: Verb<typeof searchFlags> = async (context, { flags, args }) => {
  const [term = ""] = args;
  const auth = await authFor(context, term.includes("/") ? term : "docker.io/library/search");
  const found = await context.client.system.search(term, {
    limit: flags.limit,
    filters: flags.filter,
    auth,
  });
  const rows = found.map(({ name, description, star_count, is_official }) => {
    const text = description.replaceAll(/\s+/g, " ");
    const row = {
      Name: name,
      Description: flags["no-trunc"] ? text : ellipsis(text, widest),
      StarCount: String(star_count),
      IsOfficial: is_official ? "[OK]" : "",
    };
    return { ...row, toJSON: () => ({ ...row, IsOfficial: String(is_official) }) };
  });
  const table = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";
  await printListing(context, { table, heads, rows }, flags);
  return 0;
};
