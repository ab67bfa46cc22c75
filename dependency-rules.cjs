/**
 * modules.json, which says who may import whom, as rules. A module is a folder of
 * src/, entered through its index.ts only.
 */
const modules = require("./modules.json");

const tests = "(\\.test\\.ts|/contract\\.ts|/testing\\.ts)$";

module.exports = {
  forbidden: [
    ...modules.map(({ name, sees }) => ({
      name: `${name}-sees-only-what-it-lists`,
      severity: "error",
      from: { path: `^src/${name}/`, pathNot: tests },
      to: { path: "^src/", pathNot: `^src/(${[name, ...sees].join("|")})/` },
    })),
    ...modules.map(({ name }) => ({
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
    cache: { folder: "node_modules/.cache/dependency-rules", strategy: "content" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
};
