import type { SessionState } from '../strategy.ts';

export interface SessionWatch<Ref> {
  /** Looks after a session from now on. Watching twice is fine. */
  add(id: string, ref: Ref): void;
  /** How the session is addressed, where it is known. */
  refOf(id: string): Ref | undefined;
  /** The last that was seen of a session, while that is recent enough; the end stays known. */
  recent(id: string): SessionState | undefined;
  /** Takes note of what somebody else has seen. */
  note(id: string, state: SessionState): void;
  /** Forgets a session, its end included. */
  drop(id: string): void;
  close(): void;
}

export interface SessionWatchOptions<Ref> {
  /** How often all live sessions are read, in milliseconds; null = never: who has events needs no watch. */
  pollMs: number | null;
  read(ref: Ref): Promise<SessionState>;
  /** Called once for each session that has ended. */
  ended(id: string): void;
  failed(error: unknown): void;
  now(): number;
}

interface Watched<Ref> {
  ref: Ref;
  state: SessionState | undefined;
  at: number;
}

/**
 * Reads all live sessions together, a hundred a call, and tells when one ends. Who asks in between is answered from what was
 * read last: the number of calls grows with the hundreds of sessions, not with how often anyone looks at one.
 */
export function createSessionWatch<Ref>(options: SessionWatchOptions<Ref>): SessionWatch<Ref> {
  const { pollMs, now } = options;
  const watched = new Map<string, Watched<Ref>>();
  let timer: NodeJS.Timeout | undefined;
  let looking = false;

  const isOver = ({ state }: Watched<Ref>): boolean => state !== undefined && state.kind !== 'running';

  function note(id: string, state: SessionState): void {
    const entry = watched.get(id);
    if (!entry || isOver(entry)) return;
    Object.assign(entry, { state, at: now() });
    if (isOver(entry)) options.ended(id);
  }

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      const live = [...watched].filter(([, entry]) => !isOver(entry));
      await Promise.all(live.map(async ([id, { ref }]) => note(id, await options.read(ref))));
    } catch (error) {
      options.failed(error);
    } finally {
      looking = false;
    }
  }

  return {
    add(id, ref) {
      if (watched.has(id)) return;
      watched.set(id, { ref, state: undefined, at: 0 });
      if (pollMs === null || timer) return;
      timer = setInterval(() => void look(), pollMs);
      timer.unref();
    },
    refOf: (id) => watched.get(id)?.ref,
    recent(id) {
      const entry = watched.get(id);
      if (!entry?.state) return undefined;
      if (isOver(entry)) return entry.state;
      return pollMs !== null && now() - entry.at < pollMs * 2 ? entry.state : undefined;
    },
    note,
    drop(id) {
      watched.delete(id);
      if (watched.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    close() {
      clearInterval(timer);
      watched.clear();
    },
  };
}
