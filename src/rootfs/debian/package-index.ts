import { Fault } from "#base";
import { type Provision, parseProvides, parseRelations, type RelationGroup } from "./relation.ts";
import { compareVersions } from "./version.ts";

/** A package of a repository, as its stanza in a Packages index describes it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly multiArch: string;
  readonly essential: boolean;
  readonly priority: string;
  readonly preDepends: readonly RelationGroup[];
  readonly depends: readonly RelationGroup[];
  /** Conflicts and Breaks. */
  readonly conflicts: readonly RelationGroup[];
  readonly provides: readonly Provision[];
  /** Path below the mirror's root. */
  readonly filename: string;
  /** Bytes of the .deb. */
  readonly size: number;
  /** KiB. */
  readonly installedSize: number;
  readonly sha256: string;
  /** The number of the repository that offers it. */
  readonly repository: number;
}

/**
 * The place of a stanza, and those of its fields that the choice of packages needs of every
 * package.
 */
interface Stanza {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly repository: number;
}

/**
 * The packages of several repositories for one architecture. A stanza is parsed
 * when somebody asks for it: an index has 65,000 of them, a root file system
 * needs a few hundred.
 */
export class PackageIndex {
  readonly #stanzas = new Map<string, Stanza[]>();
  readonly #providers = new Map<string, string[]>();
  readonly #essential = new Set<string>();
  readonly #byPriority = new Map<string, string[]>();
  readonly #candidates = new Map<string, DebianPackage | undefined>();
  readonly architecture: string;

  constructor(architecture: string) {
    this.architecture = architecture;
  }

  /** Adds the text of one Packages file (decoded as Latin-1 for speed; no field used here is beyond ASCII). */
  add(text: string, repository: number): void {
    let start = 0;
    while (start < text.length) {
      if (text.charCodeAt(start) === 10) {
        start++;
        continue;
      }
      let end = text.indexOf("\n\n", start);
      if (end < 0) end = text.length;
      this.#scan({ text, start, end, repository });
      start = end + 2;
    }
  }

  get names(): Iterable<string> {
    return this.#stanzas.keys();
  }

  get size(): number {
    return this.#stanzas.size;
  }

  /** The newest version of a name, as apt chooses when no pin says otherwise; the earlier repository wins between equals. */
  candidate(name: string): DebianPackage | undefined {
    if (this.#candidates.has(name)) return this.#candidates.get(name);
    let best: DebianPackage | undefined;
    for (const stanza of this.#stanzas.get(name) ?? []) {
      const found = parseStanza(stanza);
      if (found.architecture !== this.architecture && found.architecture !== "all") continue;
      if (best === undefined || compareVersions(found.version, best.version) > 0) best = found;
    }
    this.#candidates.set(name, best);
    return best;
  }

  /** Candidates that provide a name, more important ones first. */
  providers(name: string): DebianPackage[] {
    return (this.#providers.get(name) ?? [])
      .flatMap((provider) => this.candidate(provider) ?? [])
      .filter((found) => found.provides.some((provision) => provision.name === name))
      .sort((a, b) => rank(a.priority) - rank(b.priority) || (a.name < b.name ? -1 : 1));
  }

  /** Packages marked `Essential: yes`. */
  essential(): DebianPackage[] {
    return [...this.#essential]
      .flatMap((name) => this.candidate(name) ?? [])
      .filter((found) => found.essential);
  }

  ofPriority(priority: string): DebianPackage[] {
    return (this.#byPriority.get(priority) ?? [])
      .flatMap((name) => this.candidate(name) ?? [])
      .filter((found) => found.priority === priority);
  }

  #scan(stanza: Stanza): void {
    const { text, end } = stanza;
    let name = "";
    for (let line = stanza.start; line < end; ) {
      let next = text.indexOf("\n", line);
      if (next < 0 || next > end) next = end;
      const first = text.charCodeAt(line);
      if (first === 80) {
        // P: Package comes first of all (deb-src-control(5), and every archive tool).
        if (text.startsWith("Package: ", line)) name = text.slice(line + 9, next).trim();
        else if (text.startsWith("Priority: ", line))
          this.#prioritize(text.slice(line + 10, next).trim(), name);
        else if (text.startsWith("Provides: ", line))
          this.#provide(text.slice(line + 10, next), name);
      } else if (first === 69 && text.startsWith("Essential: yes", line)) {
        this.#essential.add(name);
      }
      line = next + 1;
    }
    if (name === "") return;
    const known = this.#stanzas.get(name);
    if (known === undefined) this.#stanzas.set(name, [stanza]);
    else known.push(stanza);
  }

  #prioritize(priority: string, name: string): void {
    if (rank(priority) > 1) return;
    const names = this.#byPriority.get(priority) ?? [];
    if (!names.includes(name)) names.push(name);
    this.#byPriority.set(priority, names);
  }

  #provide(field: string, name: string): void {
    for (const part of field.split(",")) {
      const provided = /^\s*([^\s(:]+)/.exec(part)?.[1];
      if (provided === undefined) continue;
      const providers = this.#providers.get(provided);
      if (providers === undefined) this.#providers.set(provided, [name]);
      else if (!providers.includes(name)) providers.push(name);
    }
  }
}

const priorities = ["required", "important", "standard", "optional", "extra"];

function rank(priority: string): number {
  const at = priorities.indexOf(priority);
  return at < 0 ? priorities.length : at;
}

function parseStanza({ text, start, end, repository }: Stanza): DebianPackage {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of text.slice(start, end).split("\n")) {
    const colon = line.indexOf(":");
    if (line.startsWith(" ")) fields.set(last, `${fields.get(last) ?? ""} ${line.trim()}`);
    else if (colon > 0) {
      last = line.slice(0, colon);
      fields.set(last, line.slice(colon + 1).trim());
    }
  }
  const relations = (name: string) => parseRelations(fields.get(name) ?? "");
  const name = fields.get("Package") ?? "";
  const demand = (field: string, pattern: RegExp) => {
    const value = fields.get(field) ?? "";
    if (!pattern.test(value))
      throw new Fault(
        "invalid",
        `the index entry of package ${name} has no usable ${field} (${JSON.stringify(value.slice(0, 80))})`,
        { about: name },
      );
    return value;
  };
  return {
    name,
    version: demand("Version", /^[A-Za-z0-9.+~:-]{1,200}$/),
    architecture: demand("Architecture", /^[a-z0-9-]{1,40}$/),
    multiArch: fields.get("Multi-Arch") ?? "no",
    essential: fields.get("Essential") === "yes",
    priority: fields.get("Priority") ?? "optional",
    preDepends: relations("Pre-Depends"),
    depends: relations("Depends"),
    conflicts: [...relations("Conflicts"), ...relations("Breaks")],
    provides: parseProvides(fields.get("Provides") ?? ""),
    filename: demand("Filename", /^(?!\/)(?!(.*\/)?\.\.(\/|$))[\x21-\x7e]{1,1000}$/),
    size: Number(demand("Size", /^\d{1,11}$/)),
    installedSize: Number(fields.get("Installed-Size") ?? 0) || 0,
    sha256: demand("SHA256", /^[0-9a-f]{64}$/),
    repository,
  };
}
