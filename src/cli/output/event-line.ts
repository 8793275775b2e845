import type { EventType, TaskEvent } from '../../task/events.ts';
import { checkText } from './task-view.ts';
import { duration } from './time.ts';
import { cleanLine } from './untrusted.ts';

export type Tone = 'plain' | 'dim' | 'good' | 'warn' | 'bad';

/** An event as one line for people: a short label, and what there is to say. */
export interface EventLine {
  label: string;
  text: string;
  tone: Tone;
}

type Metadata = TaskEvent['metadata'];
type Tell = (metadata: Metadata) => [label: string, text: string, tone?: Tone] | null;

/** How each event reads; `null` where a line would only repeat what the next one says. */
const TELL: Readonly<Record<EventType, Tell>> = {
  task_created: (m) => ['submitted', `${word(m, 'workflow')} with agent ${word(m, 'agent')}`],
  cancel_requested: (m) => ['cancel', `asked for by ${word(m, 'by')}`, 'warn'],
  nudge_received: (m) => ['nudge', `from ${word(m, 'by')}: ${word(m, 'preview')}`],
  nudge_delivered: (m) => [
    'nudge',
    m.how === 'turn' ? 'the agent was told' : 'the agent can read it in its file',
    'good',
  ],
  nudge_refused: (m) => ['nudge', `the agent was not told: ${word(m, 'reason')}`, 'warn'],
  admission_queued: (m) => ['queued', `waits: ${word(m, 'reason')}`, 'warn'],
  admission_granted: (m) => ['admitted', waited(m.queued_ms)],
  hydration_started: () => null,
  preflight_passed: (m) => ['checked', `repository at ${word(m, 'base_branch')} ${short(m, 'base_sha')}`],
  hydration_complete: (m) => ['prepared', `the input of the agent, ${word(m, 'prompt_chars')} characters`],
  capacity_waiting: (m) => ['waiting', `no room on ${word(m, 'compute_type')}: ${word(m, 'reason')}`, 'warn'],
  session_started: (m) => ['session', `${word(m, 'compute_type')}, attempt ${word(m, 'attempt')}`],
  session_ended: (m) => ['session', `ended: ${word(m, 'reason')}`, 'dim'],
  task_restarted: (m) => ['restarted', `attempt ${word(m, 'attempt')}: ${word(m, 'reason')}`, 'warn'],
  runner_started: (m) =>
    m.sandbox === 'none'
      ? ['runner', 'is up; the agent runs WITHOUT a sandbox', 'warn']
      : ['runner', 'is up; the agent runs in a sandbox'],
  phase_started: (m) => (m.phase === 'agent' ? ['agent', 'at work'] : null),
  phase_completed: (m) => [
    word(m, 'phase'),
    `${m.ok === false ? 'failed after' : 'took'} ${milliseconds(m.duration_ms)}`,
    m.ok === false ? 'bad' : 'plain',
  ],
  agent_turn: (m) => ['turn', `${word(m, 'turn')}  ${word(m, 'preview')}`, 'dim'],
  agent_tool_call: (m) => ['tool', `${word(m, 'tool')}  ${word(m, 'preview')}`, 'dim'],
  agent_tool_result: (m) =>
    m.ok === false ? ['tool', `${word(m, 'tool')} failed  ${word(m, 'preview')}`, 'warn'] : null,
  agent_cost_update: (m) => [
    'cost',
    typeof m.cost_usd === 'number' ? `$${m.cost_usd.toFixed(4)}` : '',
    'dim',
  ],
  agent_error: (m) => ['error', `${word(m, 'error_type')}  ${word(m, 'preview')}`, 'bad'],
  agent_milestone: (m) => ['milestone', `${word(m, 'milestone')}  ${word(m, 'preview')}`],
  agent_output: (m) => ['output', word(m, 'preview'), 'dim'],
  egress_blocked: (m) => ['blocked', `${word(m, 'host')} is not in ${word(m, 'setting')}`, 'warn'],
  verification_completed: (m) => {
    const checks = Array.isArray(m.checks) ? m.checks.filter(isMetadata) : [];
    const verdicts = checks.map((check) =>
      checkText({ check: word(check, 'check'), after: word(check, 'after'), reason: word(check, 'reason') }),
    );
    const worse = Array.isArray(m.regressed) ? m.regressed.map(String) : [];
    if (worse.length > 0) verdicts.push(`worse than before the work: ${cleanLine(worse.join(', '))}`);
    if (verdicts.length === 0) return ['verified', 'nothing: no command was there to check with', 'dim'];
    const good = checks.every(({ after }) => after === 'passed');
    return ['verified', verdicts.join(', '), good ? 'good' : 'warn'];
  },
  branch_pushed: (m) => [
    'pushed',
    `${word(m, 'branch_name')} ${short(m, 'head_sha')}${m.partial === true ? ' (unfinished work)' : ''}`,
  ],
  outcome_reported: () => null,
  pr_created: (m) => ['pull request', `${word(m, 'pr_url')}${m.draft === true ? ' (draft)' : ''}`],
  pr_updated: (m) => ['pull request', `${word(m, 'pr_url')} is at ${short(m, 'head_sha') || 'what it was'}`],
  review_posted: (m) => ['review', word(m, 'review_url')],
  approval_requested: (m) => ['approval', `${word(m, 'action')}: ${word(m, 'reason')}`, 'warn'],
  approval_stranded: () => ['approval', 'nobody decided in time', 'bad'],
  task_completed: (m) => [
    'completed',
    m.outcome === 'no_changes' ? 'there was nothing to change' : word(m, 'outcome'),
    'good',
  ],
  task_failed: (m) => ['failed', word(m, 'error_message'), 'bad'],
  task_cancelled: () => ['cancelled', 'the session is gone', 'warn'],
  task_timed_out: (m) => ['timed out', word(m, 'error_message'), 'bad'],
  task_stranded: (m) => ['stranded', `nothing was driving it any more (${word(m, 'prior_status')})`, 'warn'],
  'reconciler.orphan_stopped': (m) => ['cleaned up', `session ${word(m, 'session_id')}`, 'dim'],
};

/** What to print of an event, or nothing. Types that this version doesn't know are shown by their name. */
export function eventLine(event: TaskEvent): EventLine | undefined {
  const tell = Object.hasOwn(TELL, event.event_type) ? TELL[event.event_type as EventType] : undefined;
  if (!tell) return { label: cleanLine(event.event_type), text: '', tone: 'dim' };
  const told = tell(event.metadata);
  if (!told) return undefined;
  const [label, text, tone = 'plain'] = told;
  return { label, text: text.trim(), tone };
}

function word(metadata: Metadata, name: string): string {
  const value = metadata[name];
  return typeof value === 'string' || typeof value === 'number' ? cleanLine(String(value)) : '';
}

const short = (metadata: Metadata, name: string): string => word(metadata, name).slice(0, 8);
const milliseconds = (value: unknown): string => (typeof value === 'number' ? duration(value) : '');
const waited = (value: unknown): string =>
  typeof value === 'number' && value >= 1_000 ? `after ${duration(value)} in the queue` : 'at once';
const isMetadata = (value: unknown): value is Metadata => typeof value === 'object' && value !== null;
