import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Bench, type Figure, round } from './figure.ts';

const COUNT = 10_000;

/** Memory of an execution that is parked on a callback, in a process of its own so that no other bench is counted. */
async function parked(): Promise<Figure[]> {
  const program = new URL('./parked/program.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(COUNT)]);
  const { before, peak, after } = JSON.parse(stdout) as { before: number; peak: number; after: number };
  process.stderr.write(
    `parked_rss_kb: ${before} kB when idle, ${peak} kB just after ${COUNT} were started, ${after} kB when the garbage of that was collected\n`,
  );
  const figure = { unit: 'kB', p50: null, p99: null, ratio_to: null, ratio: null };
  return [
    { ...figure, name: 'parked_rss_kb', value: round(Math.max(0, after - before) / COUNT), n: COUNT },
    { ...figure, name: 'parked_idle_rss_kb', value: before, n: 1 },
  ];
}

export const benches: readonly Bench[] = [{ name: 'parked_rss_kb', run: parked }];
