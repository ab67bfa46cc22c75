import { describe, expect, test } from "bun:test";
import { rawValue, typedValue } from "./go-value.ts";
import { compileTemplate } from "./template.ts";

const data = {
  Name: "/web",
  Id: "abc",
  State: { Running: true, ExitCode: 0, Health: null },
  Env: ["A=1", "B=2"],
  Labels: Object.assign(Object.create(null), { b: "2", a: "1" }),
  Empty: [],
  Size: 1234.5,
  Label: (key: unknown) => ({ a: "1" })[String(key)] ?? "",
};

const render = (text: string, value: unknown = data) => compileTemplate(text)(value);

describe("common templates", () => {
  // Checked against `docker inspect --format` and `docker ps --format` of Docker 28.
  test.each([
    ["plain", "plain"],
    ["{{.Name}}", "/web"],
    ["{{ .Name }}{{/* a comment */}}!", "/web!"],
    ["{{.State.Running}} {{.State.ExitCode}}", "true 0"],
    ["{{.Env}} {{.Labels}} {{.Empty}} {{.State.Health}}", "[A=1 B=2] map[a:1 b:2] [] <nil>"],
    ["{{json .Env}}", '["A=1","B=2"]'],
    ["{{.Env | json}}", '["A=1","B=2"]'],
    ['{{join .Env ", "}}', "A=1, B=2"],
    ['{{join (split .Name "w") "W"}}', "/Web"],
    ["{{upper .Id}} {{.Id | upper | lower | title}}", "ABC Abc"],
    ['{{len .Env}} {{len .Id}} {{index .Env 1}} {{index .Labels "a"}}', "2 3 B=2 1"],
    ["{{range .Env}}[{{.}}]{{end}}", "[A=1][B=2]"],
    ["{{range $i, $e := .Env}}{{$i}}={{$e}};{{end}}", "0=A=1;1=B=2;"],
    ["{{range $k, $v := .Labels}}{{$k}}{{$v}} {{end}}", "a1 b2 "],
    ["{{range .Empty}}x{{else}}none{{end}}", "none"],
    ["{{if .State.Running}}up{{else}}down{{end}}", "up"],
    ['{{if eq .Id "x"}}1{{else if eq .Id "y" "abc"}}2{{else}}3{{end}}', "2"],
    ["{{if and .Name (not .Empty)}}yes{{end}}", "yes"],
    ['{{or .State.Health "none"}}', "none"],
    ["{{if or (gt (len .Env) 5) (le .State.ExitCode 0)}}ok{{end}}", "ok"],
    ["{{with .State}}{{.ExitCode}}{{$.Id}}{{end}}", "0abc"],
    ["{{with .Empty}}x{{else}}e{{end}}", "e"],
    ['{{$x := .Id}}{{$x = "new"}}{{$x}}', "new"],
    ["{{range .Env}}{{$.Name}} {{end}}", "/web /web "],
    ["a {{- .Id -}} b", "aabcb"],
    ['{{.Label "a"}}{{.Label "zz"}}', "1"],
    ['{{printf "%-5s|%3d|%q|%v|%%" .Id 7 .Id .Env}}', 'abc  |  7|"abc"|[A=1 B=2]|%'],
    ['{{println .Id 1}}{{print .Id}}{{print 1 2 "a" "b" 3}}', "abc 1\nabc1 2ab3"],
    ['{{index .Labels "zz"}}|', "|"],
    ['{{"a\tb"}}', "a\tb"],
    ["{{truncate .Id 2}}{{pad .Id 1 2}}|", "ab abc  |"],
    ['{{`raw {{ "`}}', 'raw {{ "'],
    ["{{(index .Env 0) | lower}}", "a=1"],
    ["{{slice .Id 1 3}}", "bc"],
    ['{{"a\\tb"}}', "a\tb"],
    ['{{if and (ne .Id "x") .Name}}yes{{end}}', "yes"],
    ['{{define "t"}}<{{.}}>{{end}}{{template "t" .Id}}{{template "t"}}', "<abc><<no value>>"],
    ['{{block "b" .Id}}[{{.}}]{{end}}', "[abc]"],
    ['{{range .Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}};{{end}}', "A=1;"],
    ['{{range .Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}};{{end}}', "B=2;"],
    ["{{'a'}} {{1.5}} {{0x10}} {{1_000}} {{-3}} {{.5}}", "97 1.5 16 1000 -3 0.5"],
    ['{{html "<a>" }} {{js "it\'s"}} {{urlquery "a b/c"}}', "&lt;a&gt; it\\'s a+b%2Fc"],
    ['{{printf "%d|%s|%s" "x" 1}}', "%!d(string=x)|%!s(int=1)|%!s(MISSING)"],
    ['{{printf "%+d|%05d|%c|%x|%T|%.1f" 3 -42 65 "hi" true 1.25}}', "+3|-0042|A|6869|bool|1.3"],
    ['{{printf "%s" .Env}}{{printf "%v" 1 2}}', "[A=1 B=2]1%!(EXTRA int=2)"],
  ])("%s", (text, want) => {
    expect(render(text)).toBe(want);
  });
});

describe("values of JSON as Go has them", () => {
  const shape = {
    names: { Id: "ID" },
    fields: { Cmd: "list", Labels: "map", Made: "time", Ports: { mapOf: { listOf: {} } } },
    zeros: { Health: null, Signal: "" },
  } as const;
  const json = {
    Id: "x",
    Cmd: null,
    Labels: null,
    Made: "2026-01-02T03:04:05.600Z",
    Ports: { "80/tcp": [{ HostIp: "::", HostPort: "8" }] },
    Count: 3,
  };
  const typed = (text: string) => render(text, typedValue(json, shape));
  const raw = (text: string) => render(text, rawValue(json));

  test("lists and maps that are null print as empty ones, and stay null in JSON", () => {
    expect(typed("{{.Cmd}} {{.Labels}} {{len .Cmd}} {{json .Cmd}}")).toBe("[] map[] 0 null");
    expect(typed('{{.Labels.absent}}|{{index .Labels "absent"}}')).toBe("<no value>|");
  });

  test("structs, times, names of Go, and fields that JSON left out", () => {
    expect(typed("{{.ID}} {{.Made}} {{.Ports}}")).toBe(
      "x 2026-01-02 03:04:05.6 +0000 UTC map[80/tcp:[{:: 8}]]",
    );
    expect(typed("{{.Signal}}{{with .Health}}x{{else}}none{{end}}")).toBe("none");
    expect(typed("{{json .}}")).toBe(JSON.stringify(json));
    expect(() => typed("{{.Id}}")).toThrow("no such field");
  });

  test("spans of time print as Go has them, fields in Go's order, and chains behind absent keys", () => {
    const spans = [0, 1e9, 90e9, 3.6e12, 2e7, 1_500_000_000, 1_000, -3e9];
    const list = { listOf: "duration" } as const;
    expect(render("{{.}}", typedValue(spans, list))).toBe("[0s 1s 1m30s 1h0m0s 20ms 1.5s 1µs -3s]");
    expect(render("{{json .}}", typedValue([1e9], list))).toBe("[1000000000]");
    const ordered = { order: ["A", "B", "C"], zeros: { B: "" } } as const;
    expect(render("{{.}}", typedValue({ C: 3, A: 1 }, ordered))).toBe("{1  3}");
    const chain = { fields: { Networks: { mapOf: {} } } } as const;
    const value = typedValue({ Networks: {} }, chain);
    expect(render("{{.Networks.front.IPAddress}}", value)).toBe("<no value>");
  });

  test("without the types there are maps, numbers as they are written, and no other keys", () => {
    expect(raw('{{.Id}} {{.Cmd}} {{eq .Count "3"}}')).toBe("x <no value> true");
    expect(raw("{{json .}}")).toBe(JSON.stringify(json));
    expect(() => raw("{{.Nothing}}")).toThrow('map has no entry for key "Nothing"');
  });
});

describe("mistakes are named", () => {
  test.each([
    ["{{.Nope}}", "can't evaluate field Nope: there is no such field"],
    ["{{.Nam}}", "did you mean .Name?"],
    ["{{.State.Health.Log}}", "nil pointer evaluating <.Log>"],
    ["{{.Id.X}}", "has no fields"],
    ["{{.constructor}}", "no such field"],
    ["{{.Id", "unclosed action"],
    ["{{}}", "missing value for command"],
    ["{{nofn .}}", 'function "nofn" not defined'],
    ["{{constructor .}}", 'function "constructor" not defined'],
    ["{{range .Env}}x", "has no {{end}}"],
    ["x{{end}}", "unexpected {{end}}"],
    ["{{if .Id}}{{else}}{{else}}{{end}}", "has no {{end}}"],
    ["{{$x}}", 'undefined variable "$x"'],
    ["{{(.Id}}", "unclosed left paren"],
    ["{{.Id )}}", 'unexpected ")"'],
    ["{{.Id ~}}", 'unexpected "~"'],
    ["{{index .Env 9}}", "index out of range"],
    ["{{range .Id}}{{end}}", "range can't iterate"],
    ["{{lt .Env 1}}", "cannot compare"],
    ['{{.Id "x"}}', "not a method"],
    ["{{.Label}}", "wrong number of args for Label: want 1 got 0"],
    ["{{break}}", "outside {{range}}"],
    ['{{template "t"}}', 'template "t" not defined'],
    ['{{define "t"}}{{template "t"}}{{end}}{{template "t"}}', "too deep"],
    ["{{template .Id}}", "is named by a text"],
    ["{{'ab'}}", "bad character"],
  ])("%s", (text, message) => {
    expect(() => render(text)).toThrow(message);
  });

  test("a template that runs without end is stopped", () => {
    const items = Array.from({ length: 3000 }, () => "");
    const body = "a{{/* two nodes */}}".repeat(100);
    expect(() => render(`{{range .}}{{range $}}${body}{{end}}{{end}}`, items)).toThrow("too long");
  });

  test("a map lacks any key, and a struct none", () => {
    const map = Object.assign(Object.create(null), { a: "1" });
    const text = "{{.Map.a}} {{.Map.b}} {{json .Map}} {{.Map}} {{len .Map}}";
    expect(render(text, { Map: map })).toBe('1 <no value> {"a":"1"} map[a:1] 1');
  });

  test("a template that prints without end is stopped", () => {
    const items = Array.from({ length: 3000 }, () => "x".repeat(10_000));
    const text = "{{range .}}{{range $}}{{.}}{{end}}{{end}}";
    expect(() => render(text, items)).toThrow("prints too much");
  });
});
