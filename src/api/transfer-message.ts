import { defined } from "#base";
import type { LayerStep, TransferEvent } from "#engine";
import { type JsonMessage, progressBar } from "#wire";

/** The steps of a layer in the words that clients show, and some wait for. */
const words: Readonly<Record<LayerStep, string>> = {
  found: "Pulling fs layer",
  waiting: "Waiting",
  downloading: "Downloading",
  verifying: "Verifying Checksum",
  downloaded: "Download complete",
  extracting: "Extracting",
  complete: "Pull complete",
  exists: "Already exists",
  preparing: "Preparing",
  compressing: "Compressing",
  pushing: "Pushing",
  pushed: "Pushed",
  mounted: "Mounted from",
  foreign: "Skipped foreign layer",
};

/** The events of a pull or push in dockerd's words; two lines at the end of a push. */
export function transferMessages(event: TransferEvent, verb: "pull" | "push"): JsonMessage[] {
  switch (event.kind) {
    case "pulling":
      return [{ status: `Pulling from ${event.path}`, id: event.label }];
    case "layer":
      return [layerMessage(event, verb)];
    case "pulled":
      return [{ status: `Digest: ${event.digest}` }];
    case "complete":
      return [
        {
          status: event.isNew
            ? `Status: Downloaded newer image for ${event.name}`
            : `Status: Image is up to date for ${event.name}`,
        },
      ];
    case "skipped":
      return [{ status: `WARNING: ${event.name} is left out: ${event.reason}` }];
    case "other-platform":
      return [
        {
          status: `WARNING: image with reference ${event.name} was found but its platform (${event.offered}) does not match the specified platform (${event.wanted})`,
        },
      ];
    case "pushing":
      return [{ status: `The push refers to repository [${event.repository}]` }];
    case "pushed": {
      const { tag, digest, size } = event;
      return [
        { status: `${tag}: digest: ${digest} size: ${size}` },
        { progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } },
      ];
    }
  }
}

function layerMessage(
  event: Extract<TransferEvent, { kind: "layer" }>,
  verb: "pull" | "push",
): JsonMessage {
  const { id, step, current, total, from } = event;
  const status =
    step === "exists" && verb === "push"
      ? "Layer already exists"
      : `${words[step]}${from === undefined ? "" : ` ${from}`}`;
  if (current === undefined) return { status, progressDetail: {}, id };
  const progressDetail = { current, ...defined({ total }) };
  return { status, progressDetail, progress: progressBar(progressDetail), id };
}
