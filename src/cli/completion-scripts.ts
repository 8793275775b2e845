/** The words that fit after the commands in `path` (`[]` = right after `bgagent`). */
export interface Place {
  path: readonly string[];
  words: readonly { word: string; summary: string }[];
}

/** What a single-quoted word of a shell takes. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const nameOf = ({ path }: Place): string => path.join(' ');

/** The start of both functions: finds in `at` the commands that were typed so far. */
const walk = (places: readonly Place[], first: number, last: string, words: string): string =>
  [
    `  local at='' word index`,
    `  for ((index = ${first}; index < ${last}; index++)); do`,
    `    word="\${${words}[index]}"`,
    `    case "\${at:+$at }$word" in`,
    ...places
      .filter(({ path }) => path.length > 0)
      .map((place) => `      ${quoted(nameOf(place))}) at="\${at:+$at }$word" ;;`),
    '    esac',
    '  done',
  ].join('\n');

export const bashCompletion = (places: readonly Place[]): string => `# bash completion of bgagent
_bgagent() {
${walk(places, 1, 'COMP_CWORD', 'COMP_WORDS')}
  local words=''
  case "$at" in
${places.map((place) => `    ${quoted(nameOf(place))}) words=${quoted(place.words.map(({ word }) => word).join(' '))} ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _bgagent bgagent
`;

export const zshCompletion = (places: readonly Place[]): string => {
  const described = ({ word, summary }: { word: string; summary: string }): string =>
    quoted(`${word.replaceAll(':', '\\:')}:${summary}`);
  return `#compdef bgagent
_bgagent() {
${walk(places, 2, 'CURRENT', 'words')}
  local -a fitting
  case "$at" in
${places.map((place) => `    ${quoted(nameOf(place))}) fitting=(${place.words.map(described).join(' ')}) ;;`).join('\n')}
  esac
  _describe bgagent fitting || _files
}
if [ "\${funcstack[1]}" = _bgagent ]; then _bgagent "$@"; else compdef _bgagent bgagent; fi
`;
};

export const fishCompletion = (places: readonly Place[]): string =>
  [
    '# fish completion of bgagent',
    ...places.flatMap((place) =>
      place.words.map(({ word, summary }) => {
        const [first, second] = place.path;
        const condition =
          first === undefined
            ? word.startsWith('-')
              ? 'true'
              : '__fish_use_subcommand'
            : second === undefined
              ? `__fish_seen_subcommand_from ${first}`
              : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`;
        const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${quoted(word)}`;
        return `complete -c bgagent -n ${quoted(condition)} ${what} -d ${quoted(summary)}`;
      }),
    ),
    '',
  ].join('\n');
