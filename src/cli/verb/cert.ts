import { join, resolve } from "node:path";
import type { Verb } from "../command.ts";
import type { certFlags } from "../table/system.ts";

/** Makes certificates, and shows the two commands that use them. */
export const cert: Verb<typeof certFlags> = async (context, { flags, args }) => {
  const { out, env, options } = context;
  const ownPlace = join(env.THIMBLE_CONFIG_ROOT || "/etc/thimble", "tls");
  const directory = resolve(args[0] ?? ownPlace);
  const { names, clientDirectory } = await options.local.certificates({
    directory,
    hosts: flags.host,
    client: flags.client ?? "client",
    days: flags.days ?? 730,
  });
  const files = ["ca.pem", "server-cert.pem", "server-key.pem"].map((name) =>
    join(directory, name),
  );
  const paths =
    directory === ownPlace
      ? ""
      : ` --tlscacert ${files[0]} --tlscert ${files[1]} --tlskey ${files[2]}`;
  await out.write(
    [
      `Certificates for ${names.join(", ")} are in ${directory}.`,
      "On this machine:",
      `  thimble daemon -H tcp://0.0.0.0:2376 --tlsverify${paths}`,
      `On a client, with a copy of ${clientDirectory}:`,
      `  DOCKER_CERT_PATH=${clientDirectory} docker -H tcp://${names[0]}:2376 --tlsverify ps`,
      "",
    ].join("\n"),
  );
  return 0;
};
