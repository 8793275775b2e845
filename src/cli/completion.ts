import { Argument, type Command } from 'commander';
import { COMMANDS, type Configure } from './commands.ts';
import { bashCompletion, fishCompletion, type Place, zshCompletion } from './completion-scripts.ts';
import { createProgram } from './program.ts';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export const configure: Configure = (command, act) => {
  command
    .addArgument(new Argument('<shell>', 'the shell it is for').choices(Object.keys(SHELLS)))
    .addHelpText(
      'after',
      '\nbash: bgagent completion bash > ~/.local/share/bash-completion/completions/bgagent\n' +
        'zsh:  bgagent completion zsh > <a folder of your fpath>/_bgagent\n' +
        'fish: bgagent completion fish > ~/.config/fish/completions/bgagent.fish',
    )
    .action(
      act(async (cli, shell: keyof typeof SHELLS) => {
        const program = await createProgram(COMMANDS, {
          version: '',
          act,
          load: () => true,
          write: () => undefined,
        });
        const script = SHELLS[shell](placesOf(program));
        if (cli.json) cli.printJson({ shell, script });
        else cli.write(script);
        return undefined;
      }),
    );
};

/** Every place of a command line where a word can be completed, with the words that fit there. */
function placesOf(command: Command, path: readonly string[] = []): Place[] {
  const globals = path.length === 0 ? [] : rootOf(command).options.filter(({ long }) => long !== '--version');
  const words = [
    ...command.commands.map((child) => ({
      word: child.name(),
      summary: child.summary() || child.description(),
    })),
    ...command.registeredArguments.flatMap(({ argChoices, description }) =>
      (argChoices ?? []).map((word) => ({ word, summary: description })),
    ),
    ...[...command.options, ...globals].flatMap(({ long, description, hidden }) =>
      long && !hidden ? [{ word: long, summary: description }] : [],
    ),
    { word: '--help', summary: 'show the help' },
  ];
  return [{ path, words }, ...command.commands.flatMap((child) => placesOf(child, [...path, child.name()]))];
}

function rootOf(command: Command): Command {
  let root = command;
  while (root.parent) root = root.parent;
  return root;
}
