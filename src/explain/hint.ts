/** A kind of file that an image is seldom run for, and how not to have it. */
export interface HintKind {
  readonly name: string;
  readonly what: string;
  readonly advice: string;
  readonly pattern: RegExp;
}

/** In the order in which they are tried: a file counts for the first one. Paths have no slash at the beginning. */
const hintKinds: readonly HintKind[] = [
  {
    name: "apt-lists",
    what: "package lists of apt",
    advice: "rm -rf /var/lib/apt/lists/* in the step that ran apt-get update",
    pattern: /^var\/lib\/apt\/lists\/./,
  },
  {
    name: "apt-cache",
    what: "apt's cache of packages",
    advice: "apt-get clean in the step that installed, or a cache mount on /var/cache/apt",
    pattern: /^var\/cache\/apt\/./,
  },
  {
    name: "package-cache",
    what: "caches of apk, dnf, yum or zypper",
    advice: "apk add --no-cache; dnf clean all in the step that installed",
    pattern: /^(var\/cache\/(apk|dnf|yum|libdnf5|zypp)|etc\/apk\/cache)\/./,
  },
  {
    name: "language-cache",
    what: "download caches of pip, npm, yarn, go, cargo and others",
    advice: "pip install --no-cache-dir; npm cache clean --force; or a cache mount",
    pattern:
      /^(root|home\/[^/]+)\/(\.cache|\.npm|\.yarn|\.cargo\/registry|\.gradle|\.m2|go\/pkg\/mod\/cache)\/./,
  },
  {
    name: "cache",
    what: "other caches",
    advice: "rm -rf /var/cache/* in the step that filled it",
    pattern: /^var\/cache\/./,
  },
  {
    name: "bytecode",
    what: "compiled Python, which is made again on use",
    advice: "PYTHONDONTWRITEBYTECODE=1, or pip install --no-compile",
    pattern: /\.py[co]$/,
  },
  {
    name: "log",
    what: "logs of the build",
    advice: "rm -rf /var/log/* in the step that wrote them",
    pattern: /^var\/log\/./,
  },
  {
    name: "temporary",
    what: "temporary files",
    advice: "remove them in the step that made them, or a tmpfs mount",
    pattern: /^(var\/)?tmp\/./,
  },
  {
    name: "backup",
    what: "backups and leftovers of package managers and editors",
    advice: "remove them in the step that made them",
    pattern:
      /^(var\/lib\/dpkg\/[^/]+-old|var\/cache\/debconf\/[^/]+-old|etc\/(passwd|shadow|group|gshadow|subuid|subgid)-|.*(\.dpkg-(old|dist|new)|\.rpm(save|new)|\.orig|~))$/,
  },
  {
    name: "version-control",
    what: "a repository of git, Mercurial or Subversion",
    advice: "list it in .dockerignore, or copy a clean tree",
    pattern: /(^|\/)\.(git|hg|svn)\/./,
  },
  {
    name: "documentation",
    what: "documentation and manual pages",
    advice: "dpkg's path-exclude, or rpm's --nodocs, unless the container needs them",
    pattern: /^usr\/(local\/)?share\/(doc|man|info|gtk-doc)\/./,
  },
  {
    name: "locale",
    what: "translations",
    advice: "dpkg's path-exclude=/usr/share/locale/*, if one language is enough",
    pattern: /^usr\/(local\/)?share\/(locale|i18n)\/./,
  },
  {
    name: "development",
    what: "headers and static libraries",
    advice: "build in one stage and copy the result into another",
    pattern: /^usr\/(local\/)?(include\/.|lib\/(.*\/)?[^/]+\.a$)/,
  },
];

/** The first kind of needless files that a path belongs to. */
export function hintOf(path: string): HintKind | undefined {
  return hintKinds.find(({ pattern }) => pattern.test(path));
}
