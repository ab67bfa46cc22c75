import { expect, test } from "bun:test";
import { Tunnel } from "./tunnel.ts";

test("bytes go both ways, and the end of the client's ends the call", async () => {
  const end = Promise.withResolvers<void>();
  const tunnel = new Tunnel(
    (async function* () {
      yield { data: Buffer.from("from the client") };
      await end.promise;
    })(),
  );
  const sent: string[] = [];
  const sending = (async () => {
    for await (const { data } of tunnel.outgoing()) sent.push(String(data));
  })();
  const read = Promise.withResolvers<string>();
  tunnel.on("data", (bytes) => read.resolve(String(bytes)));
  expect(await read.promise).toBe("from the client");
  await new Promise<unknown>((written) => tunnel.write("to the client", written));
  end.resolve();
  await sending;
  expect(sent).toEqual(["to the client"]);
});
