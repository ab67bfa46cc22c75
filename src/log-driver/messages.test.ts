import { expect, test } from "bun:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { logEncoder, logTarget } from "./index.ts";
import type { LogEntry, LogSubject } from "./target.ts";

process.env.TZ = "UTC";
const subject: LogSubject = {
  id: `1877cc01be71${"0".repeat(52)}`,
  name: "web",
  imageId: `sha256:${"4".repeat(64)}`,
  imageName: "busybox:1",
  command: "sh -c true",
  createdAt: 1_700_000_000_000_000_000n,
  hostname: "host",
  tag: "t/1",
  attributes: new Map([
    ["app.kubernetes.io/name", "shop"],
    ["_own", "x"],
  ]),
};
const time = 1_700_000_123_456_789_000n;
const entry = (text: string, more: Partial<LogEntry> = {}): LogEntry => ({
  ...{ stream: "stdout", time, text: Buffer.from(text) },
  ...more,
});

function packets(driver: string, options: Record<string, string>, ...entries: LogEntry[]) {
  const target = logTarget(driver, options);
  if (!target) throw new Error(`${driver} ships nothing`);
  return logEncoder(target, subject)(entries).packets.map((each) => Buffer.from(each));
}

const texts = (...given: Parameters<typeof packets>) =>
  packets(...given).map((packet) => packet.toString().replaceAll(String(process.pid), "PID"));

test.each([
  ["", "<30>Nov 14 22:15:23 t/1[PID]: hi\n"],
  ["rfc3164", "<30>Nov 14 22:15:23 host t/1[PID]: hi\n"],
  ["rfc5424", "<30>1 2023-11-14T22:15:23Z host t/1 PID t/1 - hi\n"],
  ["rfc5424micro", "<30>1 2023-11-14T22:15:23.456789Z host t/1 PID t/1 - hi\n"],
])("syslog in the format %j", (format, wanted) => {
  const options = { "syslog-format": format, "syslog-address": "udp://h" };
  expect(texts("syslog", options, entry("hi"))).toEqual([wanted]);
});

test("syslog tells facility and severity, and over TLS the length", () => {
  const options = {
    "syslog-format": "rfc5424",
    "syslog-facility": "local7",
    "syslog-address": "tcp+tls://h",
  };
  const [message = Buffer.alloc(0)] = packets("syslog", options, entry("é", { stream: "stderr" }));
  const [, length, rest = ""] = /^(\d+) (.*)$/s.exec(message.toString()) ?? [];
  expect(rest.startsWith("<187>1 ")).toBe(true);
  expect(Buffer.byteLength(rest)).toBe(Number(length));
});

test("GELF over TCP ends in a zero byte; names of attributes begin with an underscore", () => {
  const [message = Buffer.alloc(0)] = packets("gelf", { "gelf-address": "tcp://h:1" }, entry("hi"));
  expect(message.at(-1)).toBe(0);
  expect(JSON.parse(message.subarray(0, -1).toString())).toEqual({
    version: "1.1",
    host: "host",
    short_message: "hi",
    timestamp: 1_700_000_123.456,
    level: 6,
    _command: "sh -c true",
    _container_id: subject.id,
    _container_name: "web",
    _created: "2023-11-14T22:13:20.000000000Z",
    _image_id: subject.imageId,
    _image_name: "busybox:1",
    _tag: "t/1",
    "_app.kubernetes.io/name": "shop",
    _own: "x",
  });
});

test("GELF over UDP is compressed as asked for", () => {
  const address = { "gelf-address": "udp://h:1" };
  const of = (type: string) =>
    packets("gelf", { ...address, "gelf-compression-type": type }, entry("hi"))[0];
  const plain = JSON.parse(String(of("none")));
  expect(JSON.parse(gunzipSync(of("gzip") ?? "").toString())).toEqual(plain);
  expect(JSON.parse(inflateSync(of("zlib") ?? "").toString())).toEqual(plain);
});

test("a long GELF message goes in numbered chunks, one of more than 128 not at all", () => {
  const options = { "gelf-address": "udp://h:1", "gelf-compression-type": "none" };
  const chunks = packets("gelf", options, entry("x".repeat(5000)));
  const ids = new Set(chunks.map((chunk) => chunk.toString("hex", 2, 10)));
  expect(ids.size).toBe(1);
  expect(chunks.every((chunk) => chunk.readUInt16BE() === 0x1e0f && chunk.byteLength <= 1420)).toBe(
    true,
  );
  expect(chunks.map((chunk) => [chunk[10], chunk[11]])).toEqual([
    [0, 4],
    [1, 4],
    [2, 4],
    [3, 4],
  ]);
  const whole = Buffer.concat(chunks.map((chunk) => chunk.subarray(12)));
  expect(JSON.parse(whole.toString()).short_message).toBe("x".repeat(5000));
  expect(packets("gelf", options, entry("x".repeat(200_000)))).toEqual([]);
});

test("a journal entry has its text whole, and fields that journald takes", () => {
  const part = { id: "p", ordinal: 1, last: false };
  const [datagram = Buffer.alloc(0)] = packets("journald", {}, entry("a\nb", { part }));
  const head = Buffer.from("MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n");
  expect(datagram.subarray(0, head.byteLength)).toEqual(head);
  expect(datagram.subarray(head.byteLength).toString().split("\n")).toEqual([
    "PRIORITY=6",
    "SYSLOG_TIMESTAMP=2023-11-14T22:15:23.456789000Z",
    "CONTAINER_ID=1877cc01be71",
    `CONTAINER_ID_FULL=${subject.id}`,
    "CONTAINER_NAME=web",
    "CONTAINER_TAG=t/1",
    "IMAGE_NAME=busybox:1",
    "SYSLOG_IDENTIFIER=t/1",
    "APP_KUBERNETES_IO_NAME=shop",
    "OWN=x",
    "CONTAINER_PARTIAL_ID=p",
    "CONTAINER_PARTIAL_ORDINAL=1",
    "CONTAINER_PARTIAL_LAST=false",
    "CONTAINER_PARTIAL_MESSAGE=true",
    "",
  ]);
});

test("the forward protocol carries events in one message, with nanoseconds where asked for", () => {
  const seconds = packets("fluentd", {}, entry("hi"))[0]?.toString("latin1") ?? "";
  // [tag, [[time, record]]]: an array of two, a text of three, arrays of one and two, a time of 32 bits.
  expect(seconds.startsWith("\x92\xa3t/1\x91\x92\xce\x65\x53\xf1\x7b\x86\xacco")).toBe(true);
  const precise = packets("fluentd", { "fluentd-sub-second-precision": "true" }, entry("hi"))[0];
  expect(precise?.toString("hex", 7, 17)).toBe(`d700${"6553f17b"}${"1b3a0c08"}`);
});

test("a message that is to be acknowledged names the text of its answer", () => {
  const target = logTarget("fluentd", { "fluentd-request-ack": "true" });
  if (!target) throw new Error("fluentd ships nothing");
  const encode = logEncoder(target, subject);
  const {
    packets: [packet],
    acknowledgement = "",
  } = encode([entry("hi")]);
  expect(Buffer.from(packet ?? []).toString("latin1")).toEndWith(
    `\x81\xa5chunk\xb8${acknowledgement}`,
  );
  expect(encode([entry("hi")]).acknowledgement).not.toBe(acknowledgement);
});
