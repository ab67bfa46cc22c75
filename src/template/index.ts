/**
 * template: the part of Go's text/template (pkg.go.dev/text/template) that people use with
 * docker: `--format`, and the tags of logs. Pure.
 *
 * Text is compiled once and evaluated for any number of values. The functions are Go's own
 * and those that docker adds. Words: the dot is the value that a template is evaluated for; an
 * object is a struct, whose fields must be there, or, without a prototype, a map, which may
 * lack any; a function in it is a method.
 */

export { type GoKind, type GoStruct, rawValue, typedValue } from "./go-value.ts";
export { compileTemplate, type Template, TemplateError } from "./template.ts";
