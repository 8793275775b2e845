import type { Actor, TaskActions } from '../channels/channel.ts';
import { BgAgentError } from '../task/errors.ts';
import type { ApiKeyScope } from '../task/scopes.ts';
import { visibleTask } from './access.ts';
import { hasScope, type Principal } from './api-keys.ts';
import { cancelTask } from './cancel.ts';
import type { ApiDeps } from './deps.ts';
import { invalid } from './env.ts';
import { createTaskSchema } from './schemas/tasks.ts';
import { createSubmitter } from './submit.ts';

/** What is done on a pull request that somebody asks for work on. */
const PULL_REQUEST_WORKFLOW = 'coding/pr-iteration-v1';

/** What people do through channels, by the same checks and code as requests of the API. */
export function createTaskActions(deps: ApiDeps): TaskActions {
  const submitter = createSubmitter(deps);

  return {
    async submit(actor, { repo, description, issueNumber, prNumber = null, source, metadata }, key) {
      const principal = allowed(actor, 'tasks:write');
      const request = createTaskSchema.safeParse({
        repo,
        task_description: description,
        issue_number: issueNumber,
        pr_number: prNumber,
        workflow_ref: prNumber === null ? null : PULL_REQUEST_WORKFLOW,
      });
      if (!request.success) throw invalid(request.error, 'json');
      return submitter.submit(principal, request.data, key, {
        channel_source: source,
        channel_metadata: { ...metadata },
      });
    },

    async retry(actor, taskId, key) {
      const principal = allowed(actor, 'tasks:write');
      const { channel_source, channel_metadata } = await visibleTask(deps.stores, principal, taskId);
      const { task } = await submitter.resubmit(principal, taskId, key, { channel_source, channel_metadata });
      return task;
    },

    async cancel(actor, taskId) {
      const principal = allowed(actor, 'tasks:cancel');
      return cancelTask(deps, await visibleTask(deps.stores, principal, taskId), principal.userId);
    },

    get: async (actor, taskId) => visibleTask(deps.stores, allowed(actor, 'tasks:read'), taskId),

    async recent(actor, limit) {
      const { userId } = allowed(actor, 'tasks:read');
      return (await deps.stores.tasks.list({ userId, limit })).items;
    },
  };
}

function allowed({ userId, scopes }: Actor, scope: ApiKeyScope): Principal {
  const principal = { userId, scopes, keyId: null };
  if (!hasScope(principal, scope)) throw new BgAgentError('FORBIDDEN', `your key lacks the scope ${scope}`);
  return principal;
}
