import type { ErrorClassification } from './task.ts';

/** Who can do something about a failure; the first thing a reader wants to know. */
export type ErrorCategory =
  | 'input'
  | 'auth'
  | 'limit'
  | 'repository'
  | 'agent'
  | 'compute'
  | 'platform'
  | 'conflict';

interface CatalogueEntry {
  category: ErrorCategory;
  /** A short name for people. */
  title: string;
  /** What to do about it. */
  remedy: string;
  /** Whether trying the same thing again can help. */
  retryable: boolean;
}

/** Every error code of the platform. docs/errors.md is generated from this table (a test holds both directions). */
export const ERRORS = {
  VALIDATION_ERROR: {
    category: 'input',
    title: 'The request is not valid',
    remedy: 'Correct the field that the message names.',
    retryable: false,
  },
  UNAUTHORIZED: {
    category: 'auth',
    title: 'No valid credentials',
    remedy: 'Send a valid API key in X-API-Key; `bgagent api-key create` makes one.',
    retryable: false,
  },
  FORBIDDEN: {
    category: 'auth',
    title: 'Not allowed',
    remedy: 'Use a key of the owner, or one with the scope that the message names.',
    retryable: false,
  },
  TASK_NOT_FOUND: {
    category: 'input',
    title: 'No such task',
    remedy: 'Check the id with `bgagent list`.',
    retryable: false,
  },
  TRACE_NOT_AVAILABLE: {
    category: 'input',
    title: 'Nothing recorded',
    remedy: 'The task has not got that far, or its record has expired.',
    retryable: false,
  },
  DUPLICATE_TASK: {
    category: 'conflict',
    title: 'Idempotency key already used',
    remedy: 'Use a new Idempotency-Key for a different request.',
    retryable: false,
  },
  TASK_ALREADY_TERMINAL: {
    category: 'conflict',
    title: 'The task has ended',
    remedy: 'Nothing to do; submit a new task or retry this one.',
    retryable: false,
  },
  TASK_NOT_TERMINAL: {
    category: 'conflict',
    title: 'The task has not ended',
    remedy: 'Wait for its end, or cancel it first.',
    retryable: false,
  },
  TASK_MOVED: {
    category: 'conflict',
    title: 'The task moved on meanwhile',
    remedy: 'Read the task again and decide anew.',
    retryable: true,
  },
  ILLEGAL_TRANSITION: {
    category: 'platform',
    title: 'No such move between task states',
    remedy: 'This is a defect of the platform: report it.',
    retryable: false,
  },
  ROUTE_NOT_FOUND: {
    category: 'input',
    title: 'No such address',
    remedy: 'See /openapi.json for what there is.',
    retryable: false,
  },
  METHOD_NOT_ALLOWED: {
    category: 'input',
    title: 'The address does not take this method',
    remedy: 'Use a method that the Allow header names.',
    retryable: false,
  },
  RATE_LIMIT_EXCEEDED: {
    category: 'limit',
    title: 'Too many requests',
    remedy: 'Wait as long as Retry-After says.',
    retryable: true,
  },
  REPO_NOT_ONBOARDED: {
    category: 'input',
    title: 'The repository is not onboarded',
    remedy: 'Add it with `bgagent repo add <repo>`.',
    retryable: false,
  },
  REPO_NOT_FOUND: {
    category: 'input',
    title: 'No such repository here',
    remedy: 'List what is onboarded with `bgagent repo list`.',
    retryable: false,
  },
  API_KEY_NOT_FOUND: {
    category: 'input',
    title: 'No such API key',
    remedy: 'List the keys with `bgagent api-key list`.',
    retryable: false,
  },
  API_KEY_ALREADY_REVOKED: {
    category: 'conflict',
    title: 'The API key is revoked already',
    remedy: 'Nothing to do.',
    retryable: false,
  },
  API_KEY_IN_USE: {
    category: 'conflict',
    title: 'The API key can not revoke itself',
    remedy: 'Make another admin’s key, and revoke this one with that.',
    retryable: false,
  },
  WEBHOOK_NOT_FOUND: {
    category: 'input',
    title: 'No such webhook',
    remedy: 'List the webhooks with `bgagent webhook list`.',
    retryable: false,
  },
  WEBHOOK_ALREADY_REVOKED: {
    category: 'conflict',
    title: 'The webhook is revoked already',
    remedy: 'Nothing to do.',
    retryable: false,
  },
  WEBHOOK_DELIVERY_REPLAYED: {
    category: 'conflict',
    title: 'The delivery was taken before',
    remedy: 'Sign a new delivery; with X-Webhook-Timestamp, each one is another.',
    retryable: false,
  },
  DELIVERY_NOT_FOUND: {
    category: 'input',
    title: 'No such delivery',
    remedy: 'List them with `bgagent deliveries list`.',
    retryable: false,
  },
  DELIVERY_NOT_REPLAYABLE: {
    category: 'conflict',
    title: 'The delivery is not one that failed',
    remedy: 'Nothing to do: only failed and dead deliveries are replayed.',
    retryable: false,
  },
  CHANNEL_REFUSED: {
    category: 'input',
    title: 'The channel will never take the message',
    remedy:
      'Mend what the message names (the channel, its rights, the address), then `bgagent deliveries replay`.',
    retryable: false,
  },
  CHANNEL_UNAVAILABLE: {
    category: 'platform',
    title: 'The channel does not answer as it should',
    remedy: 'Nothing to do: the delivery is tried again.',
    retryable: true,
  },
  CHANNEL_NOT_CONFIGURED: {
    category: 'platform',
    title: 'A setting or secret of the channel is missing',
    remedy: 'Set what the message names, then `bgagent deliveries replay` what is dead.',
    retryable: true,
  },
  EPOCH_STALE: {
    category: 'conflict',
    title: 'A newer attempt of the task has taken over',
    remedy: 'Stop: this session is no longer wanted.',
    retryable: false,
  },
  SERVICE_UNAVAILABLE: {
    category: 'platform',
    title: 'The platform can not do that now',
    remedy: 'Try again in a moment.',
    retryable: true,
  },
  DATABASE_LOCKED: {
    category: 'platform',
    title: 'Another process holds the database',
    remedy: 'Stop the process that the message names, or use another data folder.',
    retryable: false,
  },
  DATABASE_DAMAGED: {
    category: 'platform',
    title: 'The database file can not be used',
    remedy: 'Put back a copy of the file that the message names, or use another data folder.',
    retryable: false,
  },
  DATABASE_TOO_NEW: {
    category: 'platform',
    title: 'The database is newer than this program',
    remedy: 'Use the newer version again, or another data folder.',
    retryable: false,
  },
  DATABASE_CLOSED: {
    category: 'platform',
    title: 'The database is closed',
    remedy: 'Start the platform again; what was acknowledged is kept.',
    retryable: true,
  },
  INTERNAL_ERROR: {
    category: 'platform',
    title: 'Something went wrong inside the platform',
    remedy: 'Look for the request id in the log of the platform.',
    retryable: true,
  },

  EXECUTION_ALREADY_STARTED: {
    category: 'conflict',
    title: 'An execution of that name has another input',
    remedy: 'Execution names are used once: take a new one.',
    retryable: false,
  },
  EXECUTION_NOT_FOUND: {
    category: 'input',
    title: 'No such execution',
    remedy: 'Check the execution id.',
    retryable: false,
  },
  HANDLER_NOT_REGISTERED: {
    category: 'platform',
    title: 'No handler of that name',
    remedy: 'Register the handler before starting executions of it.',
    retryable: false,
  },
  STALE_CHECKPOINT_TOKEN: {
    category: 'conflict',
    title: 'The checkpoint token is stale',
    remedy: 'A newer invocation owns the execution: stop this one.',
    retryable: false,
  },
  CALLBACK_NOT_FOUND: {
    category: 'input',
    title: 'No such callback',
    remedy: 'Check the callback id.',
    retryable: false,
  },
  CALLBACK_CLOSED: {
    category: 'conflict',
    title: 'The callback is closed',
    remedy: 'It was completed, failed or timed out before: nothing to do.',
    retryable: false,
  },
  PAYLOAD_TOO_LARGE: {
    category: 'limit',
    title: 'A payload is over the limit',
    remedy: 'Keep large values in the blob store and pass a reference.',
    retryable: false,
  },
  HISTORY_LIMIT_EXCEEDED: {
    category: 'limit',
    title: 'The execution has too many operations or too much state',
    remedy: 'Split the work over several executions.',
    retryable: false,
  },
  INVALID_CHECKPOINT: {
    category: 'platform',
    title: 'The checkpoint is not valid',
    remedy: 'Check that the workflow takes the same path at each replay.',
    retryable: false,
  },
  EXECUTION_TIMED_OUT: {
    category: 'limit',
    title: 'The execution took longer than it may',
    remedy: 'Raise the time limit of the handler, or split the work.',
    retryable: false,
  },
  EXECUTION_STOPPED: {
    category: 'conflict',
    title: 'The execution was stopped',
    remedy: 'Nothing to do.',
    retryable: false,
  },
  SECRETS_FILE_REFUSED: {
    category: 'platform',
    title: 'The secrets file can not be trusted',
    remedy: 'See the reason in the message: give the file mode 0600 (`chmod 600`), or mend its JSON.',
    retryable: false,
  },

  QUEUE_TIMEOUT: {
    category: 'limit',
    title: 'Waited too long in the queue',
    remedy: 'Raise the concurrency limit, or submit when fewer tasks run.',
    retryable: true,
  },
  START_FAILED: {
    category: 'platform',
    title: 'The task could not be started',
    remedy: 'See the reason in the message; retry when it is mended.',
    retryable: true,
  },
  HYDRATION_TIMEOUT: {
    category: 'platform',
    title: 'Collecting the input took too long',
    remedy: 'Retry; if it happens again, check that the forge answers.',
    retryable: true,
  },
  REPO_UNREACHABLE: {
    category: 'repository',
    title: 'The repository can not be reached',
    remedy: 'Check the URL or path, the network and the credentials.',
    retryable: true,
  },
  GITHUB_UNREACHABLE: {
    category: 'repository',
    title: 'GitHub can not be reached',
    remedy: 'Check the network, the address of the GitHub server and https://www.githubstatus.com.',
    retryable: true,
  },
  GITHUB_NOT_CONFIGURED: {
    category: 'auth',
    title: 'GitHub is not set up',
    remedy: 'Run `bgagent github setup`, or give the repository a token_secret.',
    retryable: false,
  },
  GITHUB_CREDENTIALS_REFUSED: {
    category: 'auth',
    title: 'GitHub refuses the credentials',
    remedy:
      'The token was revoked or has expired, or the App and its key do not fit: run `bgagent github setup` again.',
    retryable: false,
  },
  GITHUB_RATE_LIMITED: {
    category: 'limit',
    title: 'GitHub asks to wait',
    remedy:
      'Nothing to do: it goes on by itself after the wait; with a GitHub App the limit is higher than with a token.',
    retryable: true,
  },
  GITHUB_REFUSED: {
    category: 'repository',
    title: 'GitHub refused the request',
    remedy: 'See what GitHub says in the message.',
    retryable: false,
  },
  REPO_NOT_FOUND_OR_NO_ACCESS: {
    category: 'repository',
    title: 'No such repository, or no access to it',
    remedy:
      'Check owner and name; install the GitHub App on the repository, or give a token that may read it (`bgagent github setup` says what is missing).',
    retryable: false,
  },
  INSUFFICIENT_GITHUB_REPO_PERMISSIONS: {
    category: 'repository',
    title: 'The token may not do what the task needs',
    remedy: 'Give the App or token the permission that the message names; `bgagent github setup` checks it.',
    retryable: false,
  },
  ISSUE_NOT_FOUND: {
    category: 'repository',
    title: 'No such issue',
    remedy: 'Check the number; a deleted or moved issue can not be read.',
    retryable: false,
  },
  PR_NOT_FOUND_OR_CLOSED: {
    category: 'repository',
    title: 'No such pull request, or it is closed',
    remedy: 'Check the number; reopen the pull request, or start a new task.',
    retryable: false,
  },
  CONTENT_BLOCKED: {
    category: 'input',
    title: 'The issue or pull request was blocked by content policy',
    remedy: 'Look at the text that the message names; take out what speaks to the agent against its orders.',
    retryable: false,
  },
  SCREENING_UNAVAILABLE: {
    category: 'platform',
    title: 'What others wrote could not be screened',
    remedy: 'Retry when the screen answers again; nothing unscreened reaches an agent.',
    retryable: true,
  },
  PR_HEAD_MOVED: {
    category: 'repository',
    title: 'The branch of the pull request moved meanwhile',
    remedy:
      'The work is on the branch that the task names: merge it by hand, or submit the task again on what the branch is now.',
    retryable: true,
  },
  REVIEW_MISSING: {
    category: 'agent',
    title: 'The agent left no review',
    remedy: 'See the log of the task for what it did instead; retry, or name what to look at in the task.',
    retryable: true,
  },
  PR_FROM_FORK: {
    category: 'repository',
    title: 'The branch of the pull request is in a fork',
    remedy: 'Push the branch to the repository itself, or ask for a review instead of changes.',
    retryable: false,
  },
  REPO_ARCHIVED: {
    category: 'repository',
    title: 'The repository is archived',
    remedy: 'Unarchive it in its settings, or use another repository.',
    retryable: false,
  },
  REPO_EMPTY: {
    category: 'repository',
    title: 'The repository has no commits',
    remedy: 'Push a first commit to its default branch.',
    retryable: false,
  },
  BRANCH_INVALID: {
    category: 'repository',
    title: 'The branch can not be used',
    remedy: 'Check the branch name and that it exists.',
    retryable: false,
  },
  CLONE_FAILED: {
    category: 'repository',
    title: 'The clone failed',
    remedy: 'See what git says in the message.',
    retryable: true,
  },
  PUSH_REJECTED: {
    category: 'repository',
    title: 'The push was refused',
    remedy:
      'Check that the credentials are still good (`bgagent doctor`), the push right and the branch protection of the repository. What was done is kept as the diff of the task.',
    retryable: false,
  },
  WORKFLOW_FILES_REFUSED: {
    category: 'repository',
    title: 'Files in .github/workflows may not be changed',
    remedy:
      'Leave these files out of the task, or allow it: the setting github_workflow_files with the permission Workflows of the App, or the scope `workflow` of the token.',
    retryable: false,
  },
  OUTCOME_NOT_VERIFIED: {
    category: 'repository',
    title: 'The reported result is not on the remote',
    remedy: 'The branch moved or was deleted meanwhile; retry the task.',
    retryable: true,
  },
  NO_CAPACITY: {
    category: 'compute',
    title: 'No place to run',
    remedy: 'Wait, or raise the capacity of the backend.',
    retryable: true,
  },
  COMPUTE_UNAVAILABLE: {
    category: 'compute',
    title: 'The compute backend does not answer',
    remedy: 'Check the backend; retry when it answers.',
    retryable: true,
  },
  COMPUTE_MISCONFIGURED: {
    category: 'compute',
    title: 'The compute backend refuses the platform',
    remedy: 'Mend the setting or the permission that the message names; nothing was started.',
    retryable: false,
  },
  SESSION_LOST: {
    category: 'compute',
    title: 'The agent session was lost',
    remedy: 'Retry; partial work, if any, is on the branch.',
    retryable: true,
  },
  SESSION_EXITED: {
    category: 'compute',
    title: 'The session ended without a result',
    remedy: 'See the log of the task, if it printed anything; what was not pushed is lost. Retry.',
    retryable: true,
  },
  TASK_STRANDED: {
    category: 'platform',
    title: 'Nothing was driving the task any more',
    remedy: 'Retry; see the log of the platform for why it stopped.',
    retryable: true,
  },
  AGENT_FAILED: {
    category: 'agent',
    title: 'The agent ended with an error',
    remedy: 'See the log of the task; partial work, if any, is on the branch.',
    retryable: true,
  },
  AGENT_NOT_AVAILABLE: {
    category: 'agent',
    title: 'The agent is not available here',
    remedy: 'Install it, or choose another with --agent.',
    retryable: false,
  },
  MODEL_NOT_CONFIGURED: {
    category: 'auth',
    title: 'The platform has no credentials for the model',
    remedy: 'Set the variable that the message names where the platform runs, and start it again.',
    retryable: false,
  },
  MODEL_ROLE_REFUSED: {
    category: 'auth',
    title: 'AWS does not give the role for the model',
    remedy:
      'Allow `sts:AssumeRole` on the role of `bedrock_role_arn` to the platform’s AWS user, and name that user in the role’s trust policy.',
    retryable: false,
  },
  MODEL_ROLE_UNAVAILABLE: {
    category: 'auth',
    title: 'AWS could not be asked for the role for the model',
    remedy: 'Check that the platform reaches AWS STS in `bedrock_region`, then submit the task again.',
    retryable: true,
  },
  MODEL_NOT_PRICED: {
    category: 'input',
    title: 'What the model costs is not known',
    remedy: 'Add its price to `model_prices`, or choose a model that has one.',
    retryable: false,
  },
  TURN_LIMIT_REACHED: {
    category: 'limit',
    title: 'The turn cap was reached',
    remedy: 'Raise max_turns, or make the task smaller.',
    retryable: false,
  },
  BUDGET_REACHED: {
    category: 'limit',
    title: 'The budget was reached',
    remedy: 'Raise max_budget_usd, or make the task smaller.',
    retryable: false,
  },
  DEADLINE_REACHED: {
    category: 'limit',
    title: 'The deadline was reached',
    remedy: 'Raise deadline_s of the repository, or make the task smaller.',
    retryable: false,
  },
  DISK_QUOTA_EXCEEDED: {
    category: 'limit',
    title: 'The workspace is over its size limit',
    remedy: 'Raise workspace_max_mb or workspace_max_files, or make the agent write less.',
    retryable: false,
  },
  AGENT_RESOURCES_EXCEEDED: {
    category: 'limit',
    title: 'The agent took too much of the machine',
    remedy:
      'Look in the log for what the agent started; raise agent_max_processes or agent_max_memory_mb if it needs that much.',
    retryable: false,
  },
  SANDBOX_UNAVAILABLE: {
    category: 'compute',
    title: 'No sandbox on this machine',
    remedy:
      'Install bubblewrap, socat and ripgrep (`apt-get install bubblewrap socat ripgrep`), or set `sandbox` to `preferred` for code you trust.',
    retryable: false,
  },
  SECRET_IN_CHANGES: {
    category: 'repository',
    title: 'The changes hold what looks like a secret',
    remedy: 'Take the secret out of the file that the message names; nothing was pushed.',
    retryable: false,
  },
  REPOSITORY_FILE_INVALID: {
    category: 'repository',
    title: 'The file .bgagent.yaml can not be used',
    remedy: 'Correct what the message names, on the branch that the task starts from.',
    retryable: false,
  },
  SETUP_FAILED: {
    category: 'repository',
    title: 'The setup command failed',
    remedy: 'See its output in the log of the task.',
    retryable: false,
  },
  RUNNER_ERROR: {
    category: 'compute',
    title: 'The runner failed',
    remedy: 'See the log of the task; retry.',
    retryable: true,
  },
  AWS_CREDENTIALS_REFUSED: {
    category: 'auth',
    title: 'AWS does not accept the credentials',
    remedy:
      'Renew them where the platform gets them from (role, profile, environment), and check the clock of the machine.',
    retryable: true,
  },
  AWS_ACCESS_DENIED: {
    category: 'auth',
    title: 'A permission on AWS is missing',
    remedy:
      'Allow the action that the message names, on the resource that it names, to the role of the platform.',
    retryable: false,
  },
  AWS_RESOURCE_MISSING: {
    category: 'input',
    title: 'Something is not there on AWS',
    remedy: 'Create what the message names, or correct the setting or the region by which it is looked for.',
    retryable: false,
  },
  AWS_REGION_WRONG: {
    category: 'input',
    title: 'Looked for in the wrong region of AWS',
    remedy: 'Set the region in which the resource that the message names was made.',
    retryable: false,
  },
  AWS_THROTTLED: {
    category: 'limit',
    title: 'AWS takes no more requests now',
    remedy: 'Wait; if it goes on, raise the quota or the capacity of what the message names.',
    retryable: true,
  },
  AWS_UNAVAILABLE: {
    category: 'platform',
    title: 'AWS does not answer',
    remedy: 'Wait; if it goes on, check the network, the region and the status page of AWS.',
    retryable: true,
  },
  AWS_REFUSED: {
    category: 'platform',
    title: 'AWS refused a request',
    remedy: 'See what AWS says in the message.',
    retryable: false,
  },
  CANCELLED_BY_USER: { category: 'input', title: 'Cancelled', remedy: 'Nothing to do.', retryable: false },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * The one base error. Made where the foreign error arrives, with the foreign error as `cause`;
 * the code decides title, remedy and whether a retry can help (see ERRORS).
 */
export class BgAgentError extends Error {
  readonly code: ErrorCode;
  /** The field of the input that is at fault, when there is one. */
  readonly field: string | undefined;
  /** Seconds to wait before another try, when known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; field?: string; retryAfterSeconds?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BgAgentError';
    this.code = code;
    this.field = options.field;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** What a task's record says of its failure. */
export const classify = (code: ErrorCode, description: string): ErrorClassification => ({
  category: ERRORS[code].category,
  title: ERRORS[code].title,
  description,
  remedy: ERRORS[code].remedy,
  retryable: ERRORS[code].retryable,
  errorClass: code,
});

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/** The code of any thrown thing: its own when it is ours, else `fallback`. */
export const codeOf = (error: unknown, fallback: ErrorCode = 'INTERNAL_ERROR'): ErrorCode =>
  error instanceof BgAgentError ? error.code : fallback;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
