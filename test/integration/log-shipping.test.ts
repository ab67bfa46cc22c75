import { expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot } from "../support/docker-cli.ts";
import { freePort } from "../support/free-port.ts";
import {
  forwarded,
  GelfDatagrams,
  gelfStream,
  syslogCounted,
  syslogLines,
  syslogText,
} from "../support/log-protocols.ts";
import { StreamReceiver, UdpReceiver, UnixDatagramReceiver } from "../support/log-receiver.ts";
import { authority, issue } from "../support/registry-certificates.ts";
import { eventually } from "../support/run-container.ts";
import { ShippedLog, shippedLines } from "../support/shipped-log.ts";

const whole = (receiver: StreamReceiver) => Buffer.concat(receiver.connections);

test("syslog over TCP", async () => {
  await using receiver = await StreamReceiver.open();
  await using log = new ShippedLog();
  log.write(0, 3);
  await log.ship("syslog", { "syslog-address": `tcp://127.0.0.1:${receiver.port}` });
  await receiver.until(() => whole(receiver).includes("line 2\n"));
  log.write(3, 1000);
  await log.end();
  await receiver.until(() => whole(receiver).includes("line 999\n"));
  expect(syslogLines(whole(receiver))).toEqual(shippedLines(0, 1000));
  expect(log.shipper.state).toEqual({
    driver: "syslog",
    receiver: `tcp://127.0.0.1:${receiver.port}`,
    shipped: 1000,
    dropped: 0,
  });
});

test("syslog over TLS counts octets, and trusts the authority that it is given alone", async () => {
  const ours = await authority();
  await using receiver = await StreamReceiver.open({ tls: await issue(ours, "127.0.0.1") });
  await using log = new ShippedLog();
  const ca = join(log.directory, "ca.pem");
  writeFileSync(ca, (await authority()).cert);
  const options = {
    "syslog-address": `tcp+tls://127.0.0.1:${receiver.port}`,
    "syslog-format": "rfc5424",
    "syslog-tls-ca-cert": ca,
  };
  log.write(0, 3);
  await log.ship("syslog", options);
  await log.reported("down");
  expect(log.shipper.state.failure).toContain("cannot connect to tls://127.0.0.1");
  writeFileSync(ca, ours.cert);
  await log.end();
  await receiver.until(() => whole(receiver).includes("line 2\n"));
  expect(syslogCounted(whole(receiver))).toEqual(shippedLines(0, 3));
});

test("syslog over UDP waits for a receiver that is not there", async () => {
  await using log = new ShippedLog();
  const port = await freePort();
  const options = { "syslog-address": `udp://127.0.0.1:${port}`, "syslog-format": "rfc3164" };
  log.write(0, 1);
  await log.ship("syslog", options);
  await log.reported("down");
  await using receiver = await UdpReceiver.open(port);
  log.write(1, 300);
  await log.end();
  await receiver.until(() => receiver.datagrams.length >= 300);
  const texts = receiver.datagrams.map((datagram) => syslogText(datagram.toString().trimEnd()));
  expect(new Set(texts)).toEqual(new Set(shippedLines(0, 300)));
  expect(log.reports).toEqual(["down", "up"]);
});

test.each([
  ["syslog", "syslog-address"],
  ["fluentd", "fluentd-address"],
])("%s over a unix socket", async (driver, key) => {
  await using log = new ShippedLog();
  const at = join(log.directory, "s");
  await using receiver = await StreamReceiver.open({ at });
  log.write(0, 300);
  await log.ship(driver, { [key]: `unix://${at}` });
  await log.end();
  await receiver.until(() => whole(receiver).includes("line 299"));
});

test.each(["syslog", "journald"])(
  "%s to a datagram socket whose receiver is slow",
  async (driver) => {
    await using log = new ShippedLog();
    const path = join(log.directory, "s");
    await using receiver = await UnixDatagramReceiver.open(log.directory, path);
    log.write(0, 2000);
    await log.ship(driver, {}, { endpoints: [{ kind: "unixgram", path }] });
    // The queue of a socket has some hundred places at most: the rest waits.
    receiver.read();
    await log.end();
    await receiver.until(() => receiver.datagrams.length >= 2000);
    const texts = receiver.datagrams.map((datagram) =>
      driver === "syslog"
        ? syslogText(datagram.toString().trimEnd())
        : /^MESSAGE=(.*)$/m.exec(datagram.toString())?.[1],
    );
    expect(texts).toEqual(shippedLines(0, 2000));
  },
);

const journald = "/lib/systemd/systemd-journald";
const hasJournald = existsSync(journald) && existsSync("/etc/machine-id") && isRoot;

test.skipIf(!hasJournald)(
  "systemd-journald keeps entries as they were [needs systemd]",
  async () => {
    // With nothing of this machine: its own /run, its own configuration, no kernel messages, no audit.
    const script = `mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/systemd
    mkdir -p /run/systemd/journal /run/log/journal/$(cat /etc/machine-id)
    printf '[Journal]\\nAudit=no\\nReadKMsg=no\\nStorage=volatile\\n' > /etc/systemd/journald.conf
    exec ${journald}`;
    const journal = spawn("unshare", ["-mn", "sh", "-c", script], { stdio: "ignore" });
    try {
      const path = `/proc/${journal.pid}/root/run/systemd/journal/socket`;
      await eventually(() => existsSync(path) || undefined, "journald's socket");
      await using log = new ShippedLog();
      log.write(0, 500);
      log.put("two\\nlines\n", 500, "stderr");
      await log.ship("journald", {}, { endpoints: [{ kind: "unixgram", path }] });
      await log.end();
      const argv = [
        "-m",
        "-t",
        `${journal.pid}`,
        "journalctl",
        "-q",
        "-o",
        "json",
        "CONTAINER_NAME=web",
      ];
      const entries = await eventually(() => {
        const { stdout } = spawnSync("nsenter", argv, { maxBuffer: 1 << 24 });
        const lines = stdout.toString().trim().split("\n");
        return lines.length === 501 ? lines.map((line) => JSON.parse(line)) : undefined;
      }, "all entries");
      expect(entries.map(({ MESSAGE }) => MESSAGE)).toEqual([
        ...shippedLines(0, 500),
        "two\\nlines",
      ]);
      expect(entries[500]).toMatchObject({
        PRIORITY: "3",
        CONTAINER_TAG: "tag",
        IMAGE_NAME: "busybox",
      });
    } finally {
      journal.kill("SIGKILL");
      await once(journal, "exit");
    }
  },
);

test("GELF over UDP, in chunks where a line is long", async () => {
  await using receiver = await UdpReceiver.open();
  await using log = new ShippedLog();
  const long = Buffer.from(crypto.getRandomValues(new Uint8Array(8000)))
    .toString("hex")
    .slice(0, 16_000);
  log.write(0, 100);
  log.put(`${long}\n`, 100, "stderr");
  await log.ship("gelf", { "gelf-address": `udp://127.0.0.1:${receiver.port}` });
  await log.end();
  const texts = new Map<number, string>();
  const messages = new GelfDatagrams();
  const take = () => {
    for (const datagram of receiver.datagrams.splice(0)) {
      const text = messages.push(datagram);
      if (text !== undefined) texts.set(texts.size, text);
    }
    return texts.size >= 101;
  };
  await receiver.until(take);
  expect([...texts.values()]).toEqual([...shippedLines(0, 100), long]);
});

test("GELF over TCP", async () => {
  await using receiver = await StreamReceiver.open();
  await using log = new ShippedLog();
  log.write(0, 500);
  await log.ship("gelf", { "gelf-address": `tcp://127.0.0.1:${receiver.port}` });
  await log.end();
  await receiver.until(
    () => whole(receiver).includes('"line 499"') && whole(receiver).at(-1) === 0,
  );
  expect(gelfStream(whole(receiver))).toEqual(shippedLines(0, 500));
});

/** A receiver of the forward protocol that acknowledges each message, once `answers`. */
async function forwardReceiver(answer: (chunk: string, count: number) => string | undefined) {
  const texts: string[] = [];
  let count = 0;
  const rests = new Map<object, Buffer>();
  const receiver = await StreamReceiver.open({
    onData: (socket, bytes) => {
      const all = Buffer.concat([rests.get(socket) ?? Buffer.alloc(0), bytes]);
      const { messages, size } = forwarded(all);
      rests.set(socket, all.subarray(size));
      for (const { records, chunk = "" } of messages) {
        const text = answer(chunk, count++);
        if (text === undefined) return void socket.destroy();
        texts.push(...records.map(({ log }) => log ?? ""));
        socket.write(text, "latin1");
      }
    },
  });
  return { receiver, texts };
}

const acknowledge = (chunk: string) =>
  `\x81\xa3ack\xd9${String.fromCharCode(chunk.length)}${chunk}`;

test("a forwarded message that is not acknowledged is sent again: closed in the middle, and garbage", async () => {
  const { receiver, texts } = await forwardReceiver((chunk, count) =>
    count === 0 ? undefined : count === 1 ? "HTTP/1.1 400 Bad Request\r\n" : acknowledge(chunk),
  );
  await using _receiver = receiver;
  await using log = new ShippedLog();
  log.write(0, 20);
  await log.ship("fluentd", {
    "fluentd-address": `127.0.0.1:${receiver.port}`,
    "fluentd-request-ack": "true",
    "fluentd-retry-wait": "10ms",
  });
  await log.end();
  // The second answer was garbage, but the message was taken.
  expect(texts).toEqual([...shippedLines(0, 20), ...shippedLines(0, 20)]);
  expect(log.reports).toEqual(["down", "up"]);
  expect(receiver.connections.length).toBe(3);
});

test("lines that a stream without acknowledgements has lost are sent again over the next one", async () => {
  let connections = 0;
  await using receiver = await StreamReceiver.open({
    onData: (socket) => {
      if (++connections === 1) socket.resetAndDestroy();
    },
  });
  await using log = new ShippedLog();
  log.write(0, 50);
  await log.ship("syslog", { "syslog-address": `tcp://127.0.0.1:${receiver.port}` });
  await receiver.until(
    () =>
      receiver.connections.at(-1)?.includes("line 49\n") === true &&
      receiver.connections.length > 1,
  );
  expect(syslogLines(receiver.connections.at(-1) ?? Buffer.alloc(0))).toEqual(shippedLines(0, 50));
  await log.end();
});

test("a receiver that is down keeps lines waiting in the files, and what is rotated away is counted", async () => {
  await using log = new ShippedLog(3);
  const port = await freePort();
  const options = { "fluentd-address": `127.0.0.1:${port}`, "fluentd-retry-wait": "10ms" };
  log.write(0, 10);
  await log.ship("fluentd", options);
  await log.reported("down");
  // The first ten are on their way already. Of five more files three stay.
  for (let file = 1; file <= 5; file++) {
    log.rotate();
    log.write(file * 10, file * 10 + 10);
    await log.seen();
  }
  await using receiver = await StreamReceiver.open({ at: port });
  await log.end();
  await receiver.until(() => whole(receiver).includes("line 59"));
  const texts = forwarded(whole(receiver)).messages.flatMap(({ records }) =>
    records.map(({ log: text }) => text),
  );
  expect(texts).toEqual([...shippedLines(0, 10), ...shippedLines(30, 60)]);
  expect(log.shipper.state).toMatchObject({ shipped: 40, dropped: 20 });
});

test("another shipper goes on where the one before was ended, and knows what was rotated meanwhile", async () => {
  await using receiver = await StreamReceiver.open();
  await using log = new ShippedLog(3);
  const options = { "syslog-address": `tcp://127.0.0.1:${receiver.port}` };
  log.write(0, 10);
  await log.ship("syslog", options);
  await receiver.until(() => whole(receiver).includes("line 9\n"));
  await log.stop();
  log.write(10, 20);
  log.rotate();
  log.write(20, 30);
  await log.ship("syslog", options);
  await receiver.until(() => whole(receiver).includes("line 29\n"));
  expect(syslogLines(whole(receiver))).toEqual(shippedLines(0, 30));
  expect(log.shipper.state).toMatchObject({ shipped: 30, dropped: 0 });
  await log.stop();
  for (let file = 3; file < 7; file++) {
    log.rotate();
    log.write(file * 10, file * 10 + 10);
  }
  await log.ship("syslog", options);
  await log.end();
  await receiver.until(() => whole(receiver).includes("line 69\n"));
  expect(syslogLines(whole(receiver))).toEqual([...shippedLines(0, 30), ...shippedLines(40, 70)]);
  expect(log.reports).toContain("lost");
});

test("the parts of a long line say that they are, with one id", async () => {
  const { receiver } = await forwardReceiver(() => "");
  await using _receiver = receiver;
  await using log = new ShippedLog();
  log.put("a".repeat(16_384), 1);
  log.put("b\n", 1);
  log.put("whole", 2);
  await log.ship("fluentd", { "fluentd-address": `127.0.0.1:${receiver.port}` });
  await log.end();
  await receiver.until(() => whole(receiver).includes("whole"));
  const records = forwarded(whole(receiver)).messages.flatMap((message) => message.records);
  const id = records[0]?.partial_id ?? "";
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(
    records.map(({ log: text, ...record }) => [
      text?.length,
      record.partial_ordinal,
      record.partial_last,
    ]),
  ).toEqual([
    [16_384, "1", "false"],
    [1, "2", "true"],
    [5, undefined, undefined],
  ]);
  expect(records[1]?.partial_id).toBe(id);
});
