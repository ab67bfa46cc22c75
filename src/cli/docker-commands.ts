/** Commands of the docker CLI that are not here yet, by the words of the group that has them. */
export const dockerCommands: Readonly<Record<string, readonly string[]>> = {
  "": "checkpoint compose config node plugin secret service stack swarm".split(" "),
  volume: ["update"],
};
