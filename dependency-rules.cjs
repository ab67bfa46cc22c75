/**
 * Who may import whom: the tier table of ARCHITECTURE.md as rules. A module is a
 * folder of src/, entered through its index.ts only.
 */
const may = {
  base: [],
  kernel: ["base"],
  image: ["base"],
  tar: ["base"],
  wire: ["base"],
  state: ["base"],
  helper: ["base", "kernel"],
  layer: ["base", "kernel", "helper", "image", "tar"],
  snapshot: ["base", "kernel", "helper", "image", "tar", "state"],
  runtime: ["base", "kernel", "helper", "state"],
  network: ["base", "kernel", "helper", "state"],
  logs: ["base", "kernel"],
  content: ["base", "kernel", "helper", "image", "tar", "state", "layer", "snapshot"],
  registry: ["base", "kernel", "helper", "image", "tar", "state", "layer", "snapshot", "content"],
  explain: ["base", "kernel", "helper", "image", "tar", "state", "layer", "snapshot", "content"],
  rootfs: [
    "base",
    "kernel",
    "helper",
    "image",
    "tar",
    "state",
    "layer",
    "snapshot",
    "runtime",
    "content",
  ],
  engine: [
    "base",
    "kernel",
    "helper",
    "image",
    "tar",
    "state",
    "layer",
    "snapshot",
    "runtime",
    "network",
    "logs",
    "content",
    "registry",
    "explain",
    "rootfs",
  ],
  api: ["base", "image", "engine", "wire"],
  client: ["base", "image", "wire"],
  cli: ["base", "image", "tar", "wire", "client"],
  local: [
    "base",
    "kernel",
    "helper",
    "image",
    "tar",
    "state",
    "layer",
    "snapshot",
    "runtime",
    "network",
    "content",
    "registry",
    "explain",
    "rootfs",
  ],
};
may.main = Object.keys(may);

const modules = Object.keys(may);
const tests = "(\\.test\\.ts|/contract\\.ts|/testing\\.ts)$";

module.exports = {
  forbidden: [
    ...modules.map((name) => ({
      name: `${name}-sees-only-its-tier`,
      severity: "error",
      from: { path: `^src/${name}/`, pathNot: tests },
      to: { path: "^src/", pathNot: `^src/(${[name, ...may[name]].join("|")})/` },
    })),
    ...modules.map((name) => ({
      name: `${name}-is-entered-by-its-index`,
      severity: "error",
      from: { path: "^src/", pathNot: `^src/${name}/` },
      to: { path: `^src/${name}/`, pathNot: `^src/${name}/(index|testing)\\.ts$` },
    })),
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only", "dynamic-import"] } },
    },
    {
      name: "only-kernel-loads-the-addon",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(kernel|main)/" },
      to: { path: "^native/" },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^bun(:|$)" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
};
