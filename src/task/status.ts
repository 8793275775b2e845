/** The states of a task and the only moves between them. Stores enforce this table; nothing else moves a task. */

export const TASK_STATUSES = [
  'PENDING_UPLOADS',
  'QUEUED',
  'SUBMITTED',
  'HYDRATING',
  'RUNNING',
  'AWAITING_APPROVAL',
  'FINALIZING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TIMED_OUT',
] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const TERMINAL_STATUSES = [
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TIMED_OUT',
] as const satisfies TaskStatus[];
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];

/** Statuses whose task holds a concurrency slot of its user. */
export const ACTIVE_STATUSES = [
  'HYDRATING',
  'RUNNING',
  'AWAITING_APPROVAL',
  'FINALIZING',
] as const satisfies TaskStatus[];

export const TRANSITIONS: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  PENDING_UPLOADS: ['SUBMITTED', 'FAILED', 'CANCELLED'],
  SUBMITTED: ['QUEUED', 'HYDRATING', 'FAILED', 'CANCELLED'],
  QUEUED: ['SUBMITTED', 'FAILED', 'CANCELLED'],
  HYDRATING: ['RUNNING', 'AWAITING_APPROVAL', 'FAILED', 'CANCELLED'],
  RUNNING: ['AWAITING_APPROVAL', 'FINALIZING', 'FAILED', 'CANCELLED', 'TIMED_OUT'],
  AWAITING_APPROVAL: ['RUNNING', 'FAILED', 'CANCELLED', 'TIMED_OUT'],
  FINALIZING: ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'],
  COMPLETED: [],
  FAILED: [],
  CANCELLED: [],
  TIMED_OUT: [],
};

export const isTerminal = (status: TaskStatus): status is TerminalStatus => TRANSITIONS[status].length === 0;

export const LIVE_STATUSES: readonly TaskStatus[] = TASK_STATUSES.filter((status) => !isTerminal(status));

export const isLegalMove = (from: TaskStatus, to: TaskStatus): boolean => TRANSITIONS[from].includes(to);

/** The one terminal event that says what the status says. */
export const TERMINAL_EVENT = {
  COMPLETED: 'task_completed',
  FAILED: 'task_failed',
  CANCELLED: 'task_cancelled',
  TIMED_OUT: 'task_timed_out',
} as const satisfies Record<TerminalStatus, string>;
