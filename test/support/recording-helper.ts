import { type Helper, openHelper } from "#helper";

/** A helper, and the plans that were sent to it since they were last taken. */
export interface RecordingHelper extends Disposable {
  readonly helper: Helper;
  take(): readonly Uint8Array[];
}

/** The helper of the build tree, which keeps the bytes of every plan it is given. */
export function openRecordingHelper(): RecordingHelper {
  const helper = openHelper();
  const launch = helper.launch.bind(helper);
  const sent: Uint8Array[] = [];
  helper.launch = (request) => {
    sent.push(request.plan);
    return launch(request);
  };
  return {
    helper,
    take: () => sent.splice(0),
    [Symbol.dispose]: () => helper[Symbol.dispose](),
  };
}
