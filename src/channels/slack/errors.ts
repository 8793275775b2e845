import type { WebAPICallError } from '@slack/web-api';
import { BgAgentError, messageOf } from '../../task/errors.ts';

/** Answers of Slack that no retry changes. Everything else may pass. */
const TERMINAL_CODES: ReadonlySet<string> = new Set([
  'channel_not_found',
  'not_in_channel',
  'is_archived',
  'message_not_found',
  'not_authed',
  'invalid_auth',
  'token_revoked',
  'token_expired',
  'account_inactive',
  'no_permission',
  'missing_scope',
  'restricted_action',
  'ekm_access_denied',
  'team_access_not_granted',
  'posting_to_general_channel_denied',
  'as_user_not_supported',
  'invalid_blocks',
  'invalid_blocks_format',
  'invalid_arguments',
  'msg_too_long',
  'too_many_attachments',
  'no_text',
  'invalid_arg_name',
  'invalid_form_data',
  'restricted_action_read_only_channel',
  'restricted_action_thread_only_channel',
  'restricted_action_non_threadable_channel',
]);

/** Slack says no in its own words, but may have done it nevertheless. */
const MAYBE_DONE: ReadonlySet<string> = new Set([
  'internal_error',
  'fatal_error',
  'request_timeout',
  'service_unavailable',
]);

/** The request can't have arrived. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** Wait when Slack says that there were too many calls, without saying how long. */
const LIMITED_SECONDS = 30;

/** How a call failed. */
export interface SlackFailure {
  /** Slack's own code, or what happened on the way. */
  code: string;
  /** Slack answered (with an error); false: the network or a proxy did. */
  answered: boolean;
  terminal: boolean;
  /** It may have been done all the same. */
  ambiguous: boolean;
  /** Nothing about the call itself is wrong: the same again is expected to work. */
  passing: boolean;
  retryAfterSeconds: number | undefined;
}

function failureOf(error: unknown): SlackFailure {
  const known = error as Partial<WebAPICallError>;
  if (known.code === 'slack_webapi_platform_error') {
    const code = known.data?.error ?? 'unknown_error';
    const limited = code === 'ratelimited' || code === 'rate_limited';
    return {
      code,
      answered: true,
      terminal: TERMINAL_CODES.has(code),
      ambiguous: MAYBE_DONE.has(code),
      passing: limited || MAYBE_DONE.has(code),
      retryAfterSeconds: limited ? (known.data?.response_metadata?.retryAfter ?? LIMITED_SECONDS) : undefined,
    };
  }
  const failure = { answered: false, terminal: false, passing: true, retryAfterSeconds: undefined };
  if (known.code === 'slack_webapi_rate_limited_error')
    return {
      ...failure,
      code: 'ratelimited',
      answered: true,
      ambiguous: false,
      retryAfterSeconds: known.retryAfter,
    };
  if (known.code === 'slack_webapi_http_error') {
    const after = Number(known.headers?.['retry-after']);
    return {
      ...failure,
      code: `http_${known.statusCode}`,
      ambiguous: (known.statusCode ?? 500) >= 500,
      retryAfterSeconds: after > 0 ? after : undefined,
    };
  }
  const code = networkCode(error);
  return { ...failure, code, ambiguous: !NEVER_SENT.has(code) };
}

/** The system's code of a failed connection, however deep it is wrapped; `timeout`, or `network_error`. */
function networkCode(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 5) return 'network_error';
  if (error.name === 'TimeoutError') return 'timeout';
  const { code, original, cause } = error as Error & { code?: unknown; original?: unknown };
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code)) return code;
  return networkCode(original ?? cause, depth + 1);
}

/** A call that failed, as the fan-out wants it, with what Slack said. */
export class SlackCallError extends BgAgentError {
  readonly failure: SlackFailure;

  constructor(method: string, error: unknown) {
    const failure = failureOf(error);
    const { code, terminal, answered, retryAfterSeconds } = failure;
    super(
      terminal ? 'CHANNEL_REFUSED' : 'CHANNEL_UNAVAILABLE',
      `Slack ${method}: ${code}${answered ? '' : ` (${messageOf(error).slice(0, 200)})`}`,
      { cause: error, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) },
    );
    this.failure = failure;
  }
}
