import { Fault } from "#base";
import type { HostConfigBody } from "#container";
import type { CreateInput } from "./create-body.ts";
import { csvFields } from "./csv-fields.ts";

type Flags = CreateInput["flags"];
type DeviceRequest = NonNullable<HostConfigBody["DeviceRequests"]>[number];

function malformed(flag: string, word: string, why: string): Fault {
  return new Fault("invalid", `invalid argument "${word}" for "--${flag}" flag: ${why}`, {
    about: word,
  });
}

/** `--device` and `--gpus`: nodes of the host, and devices of CDI specifications by their names. */
export function devices(flags: Flags): Pick<HostConfigBody, "Devices" | "DeviceRequests"> {
  const named = flags.device.filter(isCdiName);
  const requests: DeviceRequest[] = [
    ...(flags.gpus === undefined ? [] : [parseGpus(flags.gpus)]),
    ...(named.length > 0 ? [{ Driver: "cdi", DeviceIDs: named }] : []),
  ];
  return {
    Devices: flags.device.filter((word) => !isCdiName(word)).map(parseDevice),
    ...(requests.length > 0 && { DeviceRequests: requests }),
  };
}

/** "vendor.com/class=name". */
function isCdiName(word: string): boolean {
  return /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*=[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/.test(word);
}

/** "SOURCE[:TARGET][:rwm]". */
function parseDevice(word: string) {
  const [source = "", second = "", third = ""] = word.split(":");
  const isMode = (text: string) => /^[rwm]{1,3}$/.test(text);
  if (word.split(":").length > 3 || source === "" || (third !== "" && !isMode(third))) {
    throw new Fault(
      "invalid",
      `invalid argument "${word}" for "--device" flag: invalid device specification: ${word}`,
    );
  }
  const mode = isMode(second) && third === "" ? second : third;
  const target = second === "" || mode === second ? source : second;
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: mode || "rwm" };
}

/** "all", a number, or fields as in `device=0,capabilities=compute`; a field in quotes may hold commas. */
function parseGpus(word: string): DeviceRequest {
  const request: Required<DeviceRequest> = {
    ...{ Driver: "", Count: 0, DeviceIDs: null, Capabilities: [["gpu"]], Options: {} },
  };
  const seen = new Set<string>();
  for (const field of csvFields(word)) {
    const equals = field.indexOf("=");
    const key = equals < 0 ? field : field.slice(0, equals);
    const value = equals < 0 ? field : field.slice(equals + 1);
    if (seen.has(key))
      throw malformed("gpus", word, `gpu request key '${key}' can be specified only once`);
    seen.add(key);
    if (equals < 0 || key === "count") request.Count = gpuCount(word, value);
    else if (key === "driver") request.Driver = value;
    else if (key === "device") request.DeviceIDs = value.split(",");
    else if (key === "capabilities")
      request.Capabilities = [[...new Set([...value.split(","), "gpu"])]];
    else if (key === "options") request.Options = gpuOptions(value);
    else throw malformed("gpus", word, `unexpected key '${key}' in '${field}'`);
  }
  if (!seen.has("count") && request.DeviceIDs === null && request.Count === 0) request.Count = 1;
  return request;
}

function gpuCount(word: string, text: string): number {
  if (text === "all") return -1;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  const why = 'value must be either "all" or an integer: invalid syntax';
  throw malformed("gpus", word, `invalid count (${text}): ${why}`);
}

function gpuOptions(text: string): Record<string, string> {
  return Object.fromEntries(
    csvFields(text).map((field) => {
      const equals = field.indexOf("=");
      return equals < 0 ? [field, ""] : [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
}
