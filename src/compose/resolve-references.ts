import { isMapping, type Mapping } from "#yaml";

/** Gives variables that a list only names their value, and configs the content that a variable holds. */
export function resolveReferences(model: Mapping, environment: ReadonlyMap<string, string>): void {
  for (const service of partsOf(model, "services")) {
    const list = service.get("environment");
    if (!Array.isArray(list)) continue;
    service.set(
      "environment",
      list.map((item) => {
        const value = typeof item === "string" ? environment.get(item) : undefined;
        return value === undefined ? item : `${String(item)}=${value}`;
      }),
    );
  }
  for (const config of partsOf(model, "configs")) {
    const name = config.get("environment");
    const value = typeof name === "string" ? environment.get(name) : undefined;
    if (value !== undefined) config.set("content", value);
  }
}

function partsOf(model: Mapping, section: string): Mapping[] {
  const parts = model.get(section);
  return isMapping(parts) ? [...parts.values()].filter(isMapping) : [];
}
