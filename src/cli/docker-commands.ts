/** Commands of the docker CLI that are not here yet, by the words of the group that has them. */
export const dockerCommands: Readonly<Record<string, readonly string[]>> = {
  "": (
    "build builder buildx checkpoint compose config context cp node pause plugin " +
    "secret service stack stats swarm unpause update"
  ).split(" "),
  container: ["cp", "diff", "pause", "stats", "unpause", "update"],
  image: ["build"],
  volume: ["update"],
  system: ["dial-stdio", "prune"],
};
