import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { Bench, Figure } from './figure.ts';

/**
 * `npm run bench -- [--json] [--only name,…] [--list]`: runs what bench/*.ts export as `benches`, one after the other.
 * With --json standard output is JSON Lines, a figure a line; what else there is to say goes to standard error.
 */

const WIDTHS = [48, 12, 6, 12, 12, 7, 40];
const HEADINGS = ['figure', 'value', 'unit', 'p50', 'p99', 'n', 'compared'];

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const benches = await findBenches();
const wanted = values.only?.split(',').map((name) => name.trim());
const unknown = wanted?.filter((name) => !benches.some((bench) => yields(bench, name))) ?? [];
if (unknown.length > 0 || values.list || values.help) {
  const names = benches.flatMap(({ name, also = [] }) => [name, ...also]).join(', ');
  process.stderr.write(
    `${unknown.length > 0 ? `no bench named ${unknown.join(', ')}; ` : ''}there are: ${names}\n`,
  );
  process.exit(unknown.length > 0 ? 2 : 0);
}

if (!values.json) process.stdout.write(`${machine()}\n\n${row(HEADINGS)}\n`);
let failed = false;
for (const bench of benches.filter((each) => wanted?.some((name) => yields(each, name)) ?? true)) {
  try {
    for (const figure of await bench.run()) {
      process.stdout.write(`${values.json ? JSON.stringify(figure) : row(cells(figure))}\n`);
    }
  } catch (error) {
    failed = true;
    process.stderr.write(`${bench.name} failed: ${error instanceof Error ? error.stack : error}\n`);
  }
}
process.exit(failed ? 1 : 0);

function yields({ name, also = [] }: Bench, figure: string): boolean {
  return name === figure || also.includes(figure);
}

async function findBenches(): Promise<Bench[]> {
  const files = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && file !== 'main.ts' && file !== 'figure.ts')
    .sort();
  const modules: { benches?: Bench[] }[] = await Promise.all(
    files.map((file) => import(new URL(file, import.meta.url).href)),
  );
  return modules.flatMap((module) => module.benches ?? []);
}

function machine(): string {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${cpu?.model.trim() || process.arch}), ${gib} GiB, ${process.platform}, Node ${process.versions.node}`;
}

function row(texts: readonly string[]): string {
  return texts
    .map((text, index) => {
      const width = WIDTHS[index] ?? 0;
      return [0, 2, 6].includes(index) ? text.padEnd(width) : text.padStart(width);
    })
    .join('  ')
    .trimEnd();
}

function cells({ name, value, unit, p50, p99, n, ratio, ratio_to }: Figure): string[] {
  const number = (of: number | null): string =>
    of === null ? '' : of.toLocaleString('en', { maximumFractionDigits: 2 });
  const compared = ratio === null ? '' : `${ratio.toFixed(2)} x ${ratio_to}`;
  return [name, number(value), unit, number(p50), number(p99), String(n), compared];
}
