/** What helps against a start that failed with such a message; the first that fits counts. */
const advice: readonly (readonly [
  pattern: RegExp,
  advice: (name: string, found: string) => string,
])[] = [
  [
    /(?:address already in use|port is already allocated|already published).*?:(\d+)|:(\d+).*(?:already|in use)/,
    (name, port) =>
      `see who has the port: thimble ps --filter publish=${port}, ss -ltnup 'sport = :${port}'; then: thimble start ${name}`,
  ],
  [/executable file not found/, () => "correct the command, or use an image that has it"],
  [
    /exec format error/,
    () => "look at the architecture of the image, and at the first line of a script",
  ],
  [/permission denied/, () => "look at mode and owner of the program, and at --user"],
  [/no such file or directory/, () => "look at the paths of the command and of its mounts"],
  [/unable to find user|no matching entries/, () => "name a user of the image, or a number"],
  [/network \S+ not found/, (name) => `make the network anew, then: thimble start ${name}`],
  [/no space left on device/, () => "free some space: thimble system df, thimble image prune"],
];

/** Remedies for the error in a container's state; the last resort is to look at the whole of it. */
export function startAdvice(error: string, name: string): readonly string[] {
  for (const [pattern, remedy] of advice) {
    const found = pattern.exec(error);
    if (found) return [remedy(name, found[1] ?? found[2] ?? "")];
  }
  return [
    `thimble start ${name} tells the error again; thimble inspect ${name} shows its settings`,
  ];
}
