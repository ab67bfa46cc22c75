/** Commands of the docker CLI that are not here yet, by the words of the group that has them. */
export const dockerCommands: Readonly<Record<string, readonly string[]>> = {
  "": "checkpoint config node plugin secret service stack swarm".split(" "),
  compose:
    "attach bridge build commit cp create down events exec export images kill logs ls pause port ps publish pull push restart rm run scale start stats stop top unpause up version volumes wait watch".split(
      " ",
    ),
  volume: ["update"],
};
