/** Who wants to know in this process when events were added. Others, and those of other processes, read from a cursor. */
export interface EventReaders {
  subscribe(taskId: string, onAppended: () => void): () => void;
  /** Told of every task's events. */
  subscribeAll(onAppended: () => void): () => void;
  tell(taskId: string): void;
}

export function createEventReaders(): EventReaders {
  const ofTask = new Map<string, Set<() => void>>();
  const ofAll = new Set<() => void>();
  return {
    subscribe(taskId, onAppended) {
      // A function of its own, so that subscribing twice means two subscriptions.
      const reader = (): void => onAppended();
      const present = ofTask.get(taskId) ?? new Set();
      ofTask.set(taskId, present.add(reader));
      return () => {
        present.delete(reader);
        if (present.size === 0 && ofTask.get(taskId) === present) ofTask.delete(taskId);
      };
    },
    subscribeAll(onAppended) {
      const reader = (): void => onAppended();
      ofAll.add(reader);
      return () => void ofAll.delete(reader);
    },
    tell(taskId) {
      // Each in a turn of its own: a reader's mistake is not the writer's.
      for (const onAppended of [...(ofTask.get(taskId) ?? []), ...ofAll]) queueMicrotask(onAppended);
    },
  };
}
