/** Licences by their identifiers at spdx.org/licenses: those that packages name most. */
const known = new Set(
  (
    "0BSD AFL-2.1 AFL-3.0 AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-1.0-Perl " +
    "Artistic-2.0 BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause BSL-1.0 BlueOak-1.0.0 CC-BY-3.0 CC-BY-4.0 CC0-1.0 " +
    "CDDL-1.0 CDDL-1.1 EPL-1.0 EPL-2.0 FTL GFDL-1.2-or-later GFDL-1.3-or-later GPL-1.0-or-later GPL-2.0 GPL-2.0-only " +
    "GPL-2.0-or-later GPL-3.0 GPL-3.0-only GPL-3.0-or-later HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1 " +
    "LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later Libpng MIT MIT-0 MPL-1.1 MPL-2.0 MulanPSL-2.0 " +
    "NCSA OFL-1.1 OLDAP-2.8 OpenSSL PHP-3.01 PSF-2.0 PostgreSQL Python-2.0 Ruby SSPL-1.0 TCL UPL-1.0 Unicode-3.0 " +
    "Unicode-DFS-2016 Unlicense Vim W3C WTFPL X11 ZPL-2.1 Zlib blessing bzip2-1.0.6 curl zlib-acknowledgement"
  ).split(" "),
);
const exceptions =
  /^(?:GCC-exception-3\.1|Classpath-exception-2\.0|LLVM-exception|OpenSSL-exception|Linux-syscall-note|Bison-exception-2\.2|Autoconf-exception-3\.0)$/;

/** A licence of no identifier, with the text that the package has for it. */
export interface LicenseReference {
  readonly id: string;
  readonly text: string;
}

/** What a package says of its licence, as an expression of SPDX (2.3, annex D) and the references that it uses. */
export function licenseExpression(text: string | undefined): {
  readonly expression: string;
  readonly references: readonly LicenseReference[];
} {
  const given = text?.trim() ?? "";
  if (given === "" || /^(?:UNLICENSED|NONE|NOASSERTION)$/i.test(given)) {
    return { expression: "NOASSERTION", references: [] };
  }
  if (isExpression(given)) return { expression: given, references: [] };
  const id = `LicenseRef-${given.replace(/[^a-zA-Z0-9.-]+/g, "-").slice(0, 100)}`;
  return { expression: id, references: [{ id, text: given }] };
}

function isExpression(text: string): boolean {
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  let depth = 0;
  let isOperand = true;
  for (const [at, token] of tokens.entries()) {
    if (token === "(" && isOperand) depth++;
    else if (token === ")" && !isOperand && depth > 0) depth--;
    else if (isOperand) {
      const isException = tokens[at - 1] === "WITH" && exceptions.test(token);
      if (!isException && !known.has(token.replace(/\+$/, ""))) return false;
      isOperand = false;
    } else if (/^(?:AND|OR|WITH)$/.test(token)) isOperand = true;
    else return false;
  }
  return depth === 0 && !isOperand;
}
