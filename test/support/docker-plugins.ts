import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the docker CLI looks for its plugins, and the tree of Debian's packages beside this machine's. */
const places = [
  join(homedir(), ".docker/cli-plugins"),
  ...["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"].map(
    (place) => `${place}/docker/cli-plugins`,
  ),
  join(process.env.PEERS_ROOT ?? "/srv/peers", "usr/libexec/docker/cli-plugins"),
];

/** The program of a plugin of the docker CLI, as "docker-buildx"; undefined where it is not installed. */
export function dockerPlugin(name: string): string | undefined {
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}
