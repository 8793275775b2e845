import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { cleanLine } from './output/untrusted.ts';
import { repository } from './parse.ts';

export const configure: Configure = (command, act) => {
  command
    .command('list')
    .description('the policies of a repository')
    .requiredOption('--repo <repo>', 'a repository that is onboarded', repository)
    .action(
      act(async (cli, options: { repo: string }) => {
        const answer = await (await cli.client()).getRepoPolicies(options.repo);
        cli.printJson(answer);
        const { hard, soft } = answer.policies;
        if (hard.length + soft.length === 0) cli.print(`${cleanLine(answer.repo_id)} has no policies.`);
        for (const [kind, policies] of Object.entries({ hard, soft }))
          for (const policy of policies) cli.print(`${kind}  ${cleanLine(JSON.stringify(policy))}`);
        return EXIT.ok;
      }),
    );
};
