import { ContextStore, type Host, openClient, resolveHost } from "#client";
import type { Verb } from "../command.ts";
import { candidates } from "../completion.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { globalFlags, hostFlags } from "../global-flags.ts";
import { parseFlags } from "../parse-flags.ts";

type NoFlags = Record<never, never>;

/**
 * Each script hands the words so far to `thimble __complete --`, which knows the table; that of bash
 * asks the very command of the line, which may be `./thimble` and in no $PATH.
 */
const scripts: Readonly<Record<string, string>> = {
  bash: `# bash completion of thimble; put it into /etc/bash_completion.d or source it.
_thimble() {
  local line words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file) compopt -o default; COMPREPLY=() ; return ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" __complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _thimble thimble
`,
  zsh: `#compdef thimble
# zsh completion of thimble; put it into a directory of $fpath as _thimble.
_thimble() {
  local -a found
  found=("\${(@f)$(thimble __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $found[1] == :file ]]; then _files; else compadd -- $found; fi
}
compdef _thimble thimble
`,
  fish: `# fish completion of thimble; put it into ~/.config/fish/completions/thimble.fish.
function __thimble_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (thimble __complete -- $words[2..-1] 2>/dev/null)
  if test "$found[1]" = ":file"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c thimble -f -a '(__thimble_complete)'
`,
};

export const completion: Verb<NoFlags> = async (context, { args }) => {
  const script = scripts[args[0] ?? ""];
  if (!script) throw new Exit(1, `thimble: no completion for "${args[0]}": use bash, zsh or fish`);
  await context.out.write(script);
  return 0;
};

/** The engine that the words name before the command. */
function hostOf(words: readonly string[], env: Context["env"]): Host | undefined {
  try {
    const parsed = parseFlags(globalFlags, words, { interspersed: false });
    return resolveHost({ flags: hostFlags(parsed), env }).host;
  } catch {
    return undefined;
  }
}

/** Prints the candidates for the last word, one to a line; ":file" stands for file names. */
export const complete: Verb<NoFlags> = async (context, { args }) => {
  // A client of its own: pressing a key must not start an engine.
  const client = openClient({ host: hostOf(args, context.env) ?? context.host.host });
  const found = await candidates(args, {
    containers: async (all) => {
      const list = await client.containers.list({ all }).catch(() => []);
      return list.flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, "")));
    },
    contexts: async () => [
      "default",
      ...new ContextStore(context.env).all().map(({ name }) => name),
    ],
    images: async () => {
      const list = await client.images.list().catch(() => []);
      return list.flatMap(({ RepoTags }) => RepoTags ?? []);
    },
    networks: async () => {
      const list = await client.networks.list().catch(() => []);
      return list.map(({ Name }) => Name);
    },
    volumes: async () => {
      const { Volumes } = await client.volumes.list().catch(() => ({ Volumes: [] }));
      return Volumes.map(({ Name }) => Name);
    },
  });
  await context.out.write(found.map((word) => `${word}\n`).join(""));
  return 0;
};
