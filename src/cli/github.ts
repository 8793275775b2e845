import { loadSettings } from '../config/load.ts';
import type { GitHubSetup } from '../entry/github-setup.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { setUpApp } from './github-setup-app.ts';
import { setUpToken } from './github-setup-token.ts';
import { platformLog } from './platform-log.ts';

export interface SetupOptions {
  app?: boolean;
  repo?: string;
  organization?: string;
  name: string;
  webhookUrl?: string;
}

export const configure: Configure = (command, act) => {
  command
    .command('setup')
    .description('let the platform on this machine work on GitHub')
    .option('--app', 'make a GitHub App in the browser (the best for teams); without it a token is taken')
    .option('--repo <owner/name>', 'check what is allowed on this repository, too')
    .option('--organization <name>', 'whose App it becomes; yours without this')
    .option('--name <text>', 'name of the App, unique on GitHub', 'bgagent')
    .option('--webhook-url <url>', 'where GitHub tells of comments and reviews: <platform>/v1/github/webhook')
    .addHelpText(
      'after',
      '\nA token is read from standard input, or asked for; it never is an argument:' +
        '\n  bgagent github setup --repo octo/hello < token.txt' +
        '\nSettings: github_api_url for a company’s own server, github_workflow_files to allow .github/workflows.',
    )
    .action(
      act(async (cli, options: SetupOptions) => {
        const setup = await openSetup(cli);
        return options.app ? setUpApp(cli, setup, options) : setUpToken(cli, setup, options);
      }),
    );
  command
    .command('link')
    .description('link your GitHub account: prints what to write in an issue')
    .action(act((cli) => link(cli)));
};

async function link(cli: Cli): Promise<ExitCode> {
  const { github_mention } = await loadSettings({ environment: cli.environment, dataDir: cli.dataDir });
  const created = await (await cli.client()).createLinkCode('github');
  cli.printJson(created);
  cli.print(`@${github_mention} link ${created.code}`);
  if (!cli.json)
    cli.note(
      'Write that in an issue or pull request within ten minutes: whoever does acts with the rights of your key.',
    );
  return EXIT.ok;
}

/** Loads the platform's parts; nothing of GitHub's client before it is needed. */
export async function openSetup(cli: Cli): Promise<GitHubSetup> {
  const { environment, dataDir } = cli;
  const settings = await loadSettings({ environment, dataDir });
  const { openGitHubSetup } = await import('../entry/github-setup.ts');
  return openGitHubSetup({
    dataDir,
    settings,
    environmentSecrets: environment.secrets,
    log: platformLog(cli, cli.verbose ? settings.log_level : 'silent'),
  });
}
