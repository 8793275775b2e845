import { z } from 'zod';
import { executionName, type Session } from '../task/task.ts';
import type { ComputeCapabilities, ComputeStrategy, SessionSpec, StartResult } from './strategy.ts';

export interface FallbackOptions {
  /** The backend's name for repositories. */
  type: string;
  /** In the order in which they are tried, by a name that stays the same: it's written into sessions. */
  backends: readonly { name: string; compute: ComputeStrategy }[];
}

const refSchema = z.object({ backend: z.string(), session: z.object({ id: z.string(), ref: z.unknown() }) });

/**
 * Several backends as one: a session starts on the first that has room. Spot before on-demand is the usual case. Who has a session
 * keeps it: a start that is tried again looks first whether one of the later ones has begun it already.
 */
export function createFallback({ type, backends }: FallbackOptions): ComputeStrategy {
  const [first] = backends;
  if (!first) throw new RangeError('a fallback needs at least one backend');
  const starting = new Map<string, Promise<StartResult>>();

  const wrap = (backend: string, { id, ref }: Session): Session => ({
    type,
    id,
    ref: { backend, session: { id, ref } },
  });

  /** The backend of a session, and the session as that backend knows it; without a reference every one may have it. */
  function owners(session: Session): { compute: ComputeStrategy; inner: Session }[] {
    const known = refSchema.safeParse(session.ref).data;
    const owner = backends.find(({ name }) => name === known?.backend);
    if (known && owner)
      return [{ compute: owner.compute, inner: { type: owner.compute.type, ...known.session } }];
    // Not known, or no more of the list since the settings changed: another of the same cloud may know it by its name.
    return backends.map(({ compute }) => ({
      compute,
      inner: { type: compute.type, id: session.id, ref: null },
    }));
  }

  /** A later attempt may follow one whose place was taken away: that is not to happen to it again. */
  function order({ attempt }: SessionSpec): FallbackOptions['backends'] {
    const lasting = backends.filter(({ compute }) => compute.capabilities.interruptible !== true);
    return attempt > 1 && lasting.length > 0 ? lasting : backends;
  }

  async function start(id: string, spec: SessionSpec): Promise<StartResult> {
    const reasons: string[] = [];
    const candidates = order(spec);
    for (const [index, { name, compute }] of candidates.entries()) {
      const begun = await startedLater(id, candidates.slice(index + 1));
      if (begun) return { kind: 'started', session: begun };
      const answer = await compute.start(spec);
      if (answer.kind === 'started') return { kind: 'started', session: wrap(name, answer.session) };
      reasons.push(candidates.length === 1 ? answer.reason : `${name}: ${answer.reason}`);
    }
    return { kind: 'no-capacity', reason: reasons.join('; ') };
  }

  /** An earlier start, whose answer was lost, may have got further down the list. */
  async function startedLater(id: string, later: FallbackOptions['backends']): Promise<Session | undefined> {
    for (const { name, compute } of later) {
      const inner = { type: compute.type, id, ref: null };
      if ((await compute.describe(inner)).kind !== 'missing') return wrap(name, inner);
    }
    return undefined;
  }

  return {
    type,
    capabilities: combined(backends.map(({ compute }) => compute.capabilities)),
    start(spec) {
      const id = executionName(spec.taskId, spec.attempt);
      const running = starting.get(id) ?? start(id, spec).finally(() => starting.delete(id));
      starting.set(id, running);
      return running;
    },
    async describe(session, options) {
      for (const { compute, inner } of owners(session)) {
        const state = await compute.describe(inner, options);
        if (state.kind !== 'missing') return state;
      }
      return { kind: 'missing' };
    },
    async stop(session, options) {
      for (const { compute, inner } of owners(session)) await compute.stop(inner, options);
    },
    async list() {
      const lists = await Promise.all(backends.map(({ compute }) => compute.list()));
      // Backends that share their records list each other's sessions.
      const ids = new Set(lists.flat().map(({ id }) => id));
      return [...ids].map((id) => ({ type, id, ref: null }));
    },
    async cleanUp(session) {
      for (const { compute, inner } of owners(session)) await compute.cleanUp(inner);
    },
  };
}

/** What holds whichever backend a session gets: the weakest promise of all. */
function combined(all: readonly ComputeCapabilities[]): ComputeCapabilities {
  const deadlines = all.flatMap(({ maxDeadlineS }) => maxDeadlineS ?? []);
  const types = all.flatMap(({ instanceTypes = [] }) => instanceTypes);
  const rooms = all.map(({ maxSessions }) => maxSessions);
  return {
    reportsExit: all.every(({ reportsExit }) => reportsExit),
    startAllowanceMs: Math.max(...all.map(({ startAllowanceMs }) => startAllowanceMs)),
    maxSessions: rooms.includes(null) ? null : rooms.reduce<number>((sum, room) => sum + (room ?? 0), 0),
    interruptible: all.some(({ interruptible }) => interruptible === true),
    ...(types.length === 0 ? {} : { instanceTypes: [...new Set(types)] }),
    ...(deadlines.length === 0 ? {} : { maxDeadlineS: Math.min(...deadlines) }),
  };
}
