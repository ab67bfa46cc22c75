type Env = Readonly<Record<string, string | undefined>>;

/** The variables of --build-arg: a name without a value takes that of the environment, where it is set. */
export function buildArguments(given: readonly string[], env: Env): Map<string, string> {
  const values = new Map<string, string>();
  for (const each of given) {
    const equals = each.indexOf("=");
    const name = equals < 0 ? each : each.slice(0, equals);
    const value = equals < 0 ? env[name] : each.slice(equals + 1);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}
