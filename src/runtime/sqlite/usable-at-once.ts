import type { DurableRuntime } from '../runtime.ts';

/**
 * A runtime that takes calls while its file is still being opened: they wait for that, in order. Awaiting the runtime itself
 * tells whether the file could be opened; otherwise the first call does.
 */
export function usableAtOnce(opening: Promise<DurableRuntime>): DurableRuntime & PromiseLike<DurableRuntime> {
  let opened: DurableRuntime | undefined;
  /** What was registered meanwhile is registered before anything else is done. */
  let ready = opening.then((runtime) => {
    opened = runtime;
    return runtime;
  });
  // Whoever calls, or awaits, hears of a failure.
  ready.catch(() => undefined);

  return {
    // biome-ignore lint/suspicious/noThenProperty: it is meant to be awaited, and to work without
    then: (onOpened, onFailed) => ready.then(onOpened, onFailed),
    register(name, handler, options) {
      if (opened) return opened.register(name, handler, options);
      ready = ready.then((runtime) => {
        runtime.register(name, handler, options);
        return runtime;
      });
      ready.catch(() => undefined);
    },
    start: async (...call) => (await ready).start(...call),
    result: async (...call) => (await ready).result(...call),
    describe: async (...call) => (await ready).describe(...call),
    history: async (...call) => (await ready).history(...call),
    completeCallback: async (...call) => (await ready).completeCallback(...call),
    failCallback: async (...call) => (await ready).failCallback(...call),
    heartbeatCallback: async (...call) => (await ready).heartbeatCallback(...call),
    stop: async (...call) => (await ready).stop(...call),
    close: async () => {
      const runtime = await opening.catch(() => undefined);
      await runtime?.close();
    },
  };
}
