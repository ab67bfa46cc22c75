import { Fault } from "#base";
import type { Mapping, Value } from "#yaml";

const propagations = new Set(["rprivate", "private", "rshared", "shared", "rslave", "slave"]);

/** A mount in the short form: "target", "source:target", "source:target:options". */
export function parseVolume(spec: string): Mapping {
  if (spec === "") throw new Fault("invalid", "invalid empty volume spec");
  const volume: Mapping = new Map();
  if (spec.length <= 2) {
    return volume.set("type", "volume").set("target", spec);
  }
  const sections = splitSections(spec);
  const [first = "", second, options] = sections;
  if (sections.includes("")) throw invalidSpec(spec, "empty section between colons");
  if (sections.length > 3) throw invalidSpec(spec, "too many colons");
  volume.set("type", "volume");
  if (second === undefined) volume.set("target", first);
  else volume.set("source", first).set("target", second);
  for (const option of options?.split(",") ?? []) setOption(volume, option);
  setType(volume);
  return volume;
}

const invalidSpec = (spec: string, why: string) =>
  new Fault("invalid", `invalid spec: ${spec}: ${why}`);

/** Colons part sections, but not those of a drive of Windows, nor those within a variable. */
function splitSections(spec: string): string[] {
  const sections: string[] = [];
  let section = "";
  let variables = 0;
  for (let i = 0; i < spec.length; i++) {
    const c = spec[i] as string;
    if (c === "$" && spec[i + 1] === "{") variables++;
    else if (c === "}" && variables > 0) variables--;
    const isDrive = /^\p{L}$/u.test(section);
    if (c === ":" && variables === 0 && !isDrive) {
      sections.push(section);
      section = "";
    } else section += c;
  }
  return [...sections, section];
}

function setOption(volume: Mapping, option: string): void {
  const part = (name: string) => {
    const old = volume.get(name) as Mapping | undefined;
    const mapping: Mapping = old ?? new Map<string, Value>();
    volume.set(name, mapping);
    return mapping;
  };
  if (option === "ro") volume.set("read_only", true);
  else if (option === "rw") volume.delete("read_only");
  else if (option === "nocopy") part("volume").set("nocopy", true);
  else if (propagations.has(option)) part("bind").set("propagation", option);
  else if (option === "z" || option === "Z") part("bind").set("selinux", option);
}

function setType(volume: Mapping): void {
  const source = volume.get("source");
  if (typeof source === "string" && isFilePath(source)) {
    volume.set("type", "bind");
    const bind = (volume.get("bind") as Mapping | undefined) ?? new Map<string, Value>();
    volume.set("bind", bind.set("create_host_path", true));
  } else if (!volume.has("volume")) volume.set("volume", new Map());
}

const isFilePath = (source: string) => /^([./~]|\\\\|\p{L}:)/u.test(source);
