import { z } from 'zod';

/** Settings of GitHub. */
export const githubSettings = {
  github_api_url: z
    .url()
    .default('https://api.github.com')
    .describe(
      'The API of GitHub; on a company’s own server `https://<host>/api/v3`. Pages and repositories follow from it.',
    ),
  github_app_id: z
    .number()
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Id of the GitHub App to work as; null = with a token. `bgagent github setup` writes it.'),
  github_private_key_secret: z
    .string()
    .default('GITHUB_APP_PRIVATE_KEY')
    .describe('Name of the secret that holds the private key of the GitHub App.'),
  github_token_secret: z
    .string()
    .default('GITHUB_TOKEN')
    .describe(
      'Name of the secret that holds the token for repositories on GitHub that have none of their own.',
    ),
  github_mention: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}$/, 'must be a name as GitHub has them, without @')
    .default('bgagent')
    .describe('Name that people write after `@` in issues and pull requests to ask for a task.'),
  github_workflow_files: z
    .boolean()
    .default(false)
    .describe(
      'Whether tasks may change files in `.github/workflows`; the App needs the permission Workflows.',
    ),
};
