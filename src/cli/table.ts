import { type Command, type Group, group } from "./command.ts";
import { bakeCommand } from "./table/bake.ts";
import { buildCommand } from "./table/build.ts";
import { builderGroup, buildxGroup } from "./table/builder.ts";
import { composeGroup } from "./table/compose.ts";
import * as container from "./table/containers.ts";
import { contextGroup } from "./table/contexts.ts";
import { daemonCommand } from "./table/daemon.ts";
import * as analysis from "./table/explain.ts";
import * as image from "./table/images.ts";
import { networkGroup } from "./table/networks.ts";
import * as server from "./table/registry-server.ts";
import * as system from "./table/system.ts";
import * as transfer from "./table/transfer.ts";
import * as trust from "./table/trust.ts";
import { volumeGroup } from "./table/volumes.ts";

/** Every command there is. Parsing, help, suggestions and completion are made from this table. */
export const commands: Readonly<Record<string, Command | Group>> = {
  run: container.runCommand,
  exec: container.execCommand,
  ps: container.psCommand,
  pull: transfer.pullCommand,
  push: transfer.pushCommand,
  images: image.imagesCommand,
  mkimage: image.mkimageCommand,
  login: transfer.loginCommand,
  logs: container.logsCommand,
  quickstart: system.quickstartCommand,
  doctor: system.doctorCommand,

  container: group("Manage containers", {
    attach: container.attachCommand,
    commit: image.commitCommand,
    cp: container.cpCommand,
    create: container.createCommand,
    diff: analysis.containerDiffCommand,
    exec: container.execCommand,
    export: container.exportCommand,
    inspect: container.containerInspectCommand,
    kill: container.killCommand,
    pause: container.pauseCommand,
    unpause: container.unpauseCommand,
    logs: container.logsCommand,
    ls: container.psCommand,
    list: hidden(container.psCommand),
    ps: hidden(container.psCommand),
    port: container.portCommand,
    prune: container.containerPruneCommand,
    rename: container.renameCommand,
    restart: container.restartCommand,
    rm: container.rmCommand,
    remove: hidden(container.rmCommand),
    run: container.runCommand,
    start: container.startCommand,
    stats: container.statsCommand,
    stop: container.stopCommand,
    top: container.topCommand,
    update: container.updateCommand,
    wait: container.waitCommand,
    why: container.whyCommand,
  }),
  image: group("Manage images", {
    build: buildCommand,
    cp: image.imageCpCommand,
    diff: analysis.diffCommand,
    explain: analysis.explainCommand,
    history: image.historyCommand,
    import: image.importCommand,
    inspect: image.imageInspectCommand,
    load: image.loadCommand,
    ls: image.imagesCommand,
    list: hidden(image.imagesCommand),
    make: image.mkimageCommand,
    prune: image.imagePruneCommand,
    pull: transfer.pullCommand,
    push: transfer.pushCommand,
    rm: image.rmiCommand,
    remove: hidden(image.rmiCommand),
    save: image.saveCommand,
    sbom: analysis.sbomCommand,
    squash: analysis.squashCommand,
    tag: image.tagCommand,
  }),
  context: contextGroup,
  network: networkGroup,
  system: group("Manage the engine", {
    cert: system.certCommand,
    df: system.dfCommand,
    "dial-stdio": system.dialStdioCommand,
    events: system.eventsCommand,
    fsck: system.fsckCommand,
    profile: system.profileCommand,
    prune: system.systemPruneCommand,
    info: system.infoCommand,
  }),

  artifact: trust.artifactGroup,
  attach: container.attachCommand,
  bake: bakeCommand,
  build: buildCommand,
  builder: builderGroup,
  buildx: buildxGroup,
  commit: image.commitCommand,
  compose: composeGroup,
  completion: system.completionCommand,
  create: container.createCommand,
  daemon: daemonCommand,
  cp: container.cpCommand,
  debug: container.debugCommand,
  diff: analysis.diffCommand,
  events: system.eventsCommand,
  explain: analysis.explainCommand,
  export: container.exportCommand,
  help: system.helpCommand,
  history: image.historyCommand,
  import: image.importCommand,
  info: system.infoCommand,
  inspect: container.inspectCommand,
  kill: container.killCommand,
  pause: container.pauseCommand,
  unpause: container.unpauseCommand,
  load: image.loadCommand,
  logout: transfer.logoutCommand,
  man: system.manCommand,
  manifest: trust.manifestGroup,
  port: container.portCommand,
  registry: server.registryGroup,
  rename: container.renameCommand,
  restart: container.restartCommand,
  rm: container.rmCommand,
  rmi: image.rmiCommand,
  save: image.saveCommand,
  sbom: analysis.sbomCommand,
  search: transfer.searchCommand,
  sign: trust.signCommand,
  squash: analysis.squashCommand,
  start: container.startCommand,
  stats: container.statsCommand,
  stop: container.stopCommand,
  tag: image.tagCommand,
  top: container.topCommand,
  trust: trust.trustGroup,
  verify: trust.verifyCommand,
  ui: system.uiCommand,
  version: system.versionCommand,
  volume: volumeGroup,
  update: container.updateCommand,
  wait: container.waitCommand,
  why: container.whyCommand,
  __complete: system.completeCommand,
};

/** The commands that the overview shows first. */
export const commonCommands: readonly string[] = [
  "run",
  "exec",
  "ps",
  "pull",
  "push",
  "images",
  "mkimage",
  "login",
  "logs",
  "quickstart",
  "doctor",
];

/** A second name, which help and completion leave out. */
function hidden(command: Command): Command {
  return { ...command, hidden: true };
}
