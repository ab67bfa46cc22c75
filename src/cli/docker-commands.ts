/** Commands of the docker CLI that are not here yet, by the words of the group that has them. */
export const dockerCommands: Readonly<Record<string, readonly string[]>> = {
  "": "checkpoint config node plugin secret service stack swarm".split(" "),
  compose: "bridge publish run watch".split(" "),
  volume: ["update"],
};
