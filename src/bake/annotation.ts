import { Fault } from "#base";

/** An annotation as buildx's --annotation takes it: "manifest,index[linux/amd64]:KEY=VALUE". */
export interface AnnotationText {
  /** As "manifest" or "index[linux/amd64]"; none given: "manifest". */
  readonly levels: readonly string[];
  readonly key: string;
  readonly value: string;
}

const levelNames = ["index", "index-descriptor", "manifest", "manifest-descriptor"];

/** `invalid`, in buildx's words, for a text that is no annotation. */
export function parseAnnotation(text: string): AnnotationText {
  const equals = text.indexOf("=");
  if (equals < 0) refuse(`invalid annotation ${JSON.stringify(text)}, expected key=value`);
  const [, written, key = ""] = /^(?:([^:]*):)?(.+)$/s.exec(text.slice(0, equals)) ?? [];
  const levels = written?.split(",") ?? ["manifest"];
  for (const each of levels) {
    const [, name] = /^([a-z-]+)(?:\[[A-Za-z0-9_/-]+\])?$/.exec(each) ?? [];
    if (name === undefined) {
      refuse(
        `invalid annotation type ${JSON.stringify(each)}, expected type and optional platform in square brackets`,
      );
    }
    if (!levelNames.includes(name)) refuse(`unknown annotation type ${JSON.stringify(name)}`);
  }
  return { levels, key, value: text.slice(equals + 1) };
}

function refuse(message: string): never {
  throw new Fault("invalid", message);
}
