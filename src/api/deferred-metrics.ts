import type { Metrics } from './metrics.ts';

/** Calls that are kept until they are counted. */
const MOST_KEPT = 1_000;

/** Metrics whose library is loaded by whoever looks first, or when there is much to count: starting up doesn't wait for it. */
export function createDeferredMetrics(load: () => Promise<Metrics>): Metrics {
  let kept: ((metrics: Metrics) => void)[] = [];
  let loading: Promise<Metrics> | undefined;
  let loaded: Metrics | undefined;

  async function open(): Promise<Metrics> {
    const metrics = await load();
    loaded = metrics;
    for (const call of kept) call(metrics);
    kept = [];
    return metrics;
  }
  const opened = (): Promise<Metrics> => {
    loading ??= open();
    return loading;
  };

  function count(call: (metrics: Metrics) => void): void {
    if (loaded) call(loaded);
    else if (kept.push(call) === MOST_KEPT) void opened();
  }

  return {
    request: (labels, seconds) => count((metrics) => metrics.request(labels, seconds)),
    reconciled: (reconciler, changed) => count((metrics) => metrics.reconciled(reconciler, changed)),
    text: async () => (await opened()).text(),
  };
}
