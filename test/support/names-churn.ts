/**
 * Stands for an engine that changes the names of containers, and may be killed at any moment: takes
 * over the resolver at SOCKET, tells it everything, and changes the endpoint "moving" for each
 * number from FROM up to TO. Prints the number of each hundredth change that was made.
 *
 *   names-churn.ts SOCKET FROM TO CLIENT
 *
 * CLIENT is the asking container as JSON.
 */
import { findResolver, type ResolverClient } from "#helper";

const [socket = "", from = "0", to = "0", client = "{}"] = process.argv.slice(2);
const resolver = await findResolver(socket);
if (!resolver) throw new Error(`no resolver at ${socket}`);

const network = "front";
const set = (id: string, ipv4: string) => resolver.setEndpoint({ id, network, ipv4, names: [id] });
const move = (count: number) => set("moving", `10.0.${(count >> 8) & 255}.${count & 255}`);

await resolver.begin();
await set("stable", "10.0.0.2");
await move(Number(from));
await resolver.update(JSON.parse(client) as ResolverClient);
await resolver.commit();
for (let count = Number(from); count < Number(to); count++) {
  await move(count);
  // Others come and go.
  if (count % 10 === 0) await set(`other${count % 7}`, "10.1.0.1");
  if (count % 10 === 5) await resolver.dropEndpoint(`other${count % 7}`);
  if (count % 100 === 99) console.log(count + 1);
}
resolver.close();
