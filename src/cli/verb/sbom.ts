import type { BillOfMaterials } from "#wire";
import type { Verb } from "../command.ts";
import { printListing } from "../listing.ts";
import type { sbomFlags } from "../table/explain.ts";

const heads = { Name: "NAME", Version: "VERSION", Type: "TYPE", License: "LICENSE", URL: "URL" };
const table = "table {{.Name}}\t{{.Version}}\t{{.Type}}\t{{.License}}";

/** A table for people, the whole document for programs. */
export const sbom: Verb<typeof sbomFlags> = async (context, { flags, args }) => {
  const [image = ""] = args;
  const found = await context.client.analysis.sbom(image);
  const format = flags.format ?? (context.out.isTerminal ? "table" : "spdx-json");
  if (format === "spdx-json") {
    await context.out.write(`${JSON.stringify(found, undefined, 2)}\n`);
    return 0;
  }
  const [, ...packages] = found.packages;
  await printListing(context, { table, heads, rows: packages.map(row) }, { format, json: false });
  return 0;
};

function row(each: BillOfMaterials["packages"][number]) {
  const url = each.externalRefs?.[0]?.referenceLocator ?? "";
  return {
    Name: each.name,
    Version: each.versionInfo ?? "",
    Type: /^pkg:([^/]+)/.exec(url)?.[1] ?? "",
    License: each.licenseDeclared === "NOASSERTION" ? "" : each.licenseDeclared,
    URL: url,
  };
}
