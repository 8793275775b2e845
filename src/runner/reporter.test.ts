import { describe, expect, it, vi } from 'vitest';
import { anOutcome } from '../../test/fixtures/outcome.ts';
import type { ReportRequest } from '../task/protocol.ts';
import { RefusedError, SessionUnwantedError } from './platform.ts';
import { createReporter, type ReporterOptions } from './reporter.ts';

type Report = Omit<ReportRequest, 'attempt' | 'runner_id'>;

function record(options: Partial<ReporterOptions> & { answer?: (report: Report, n: number) => void } = {}) {
  const reports: Report[] = [];
  const errors: unknown[] = [];
  const reporter = createReporter({
    platform: {
      async report(report) {
        reports.push(structuredClone(report));
        options.answer?.(report, reports.length);
        return { cancel_requested: false, nudges: [] };
      },
    },
    now: Date.now,
    heartbeatMs: 60_000,
    logMaxBytes: 1_000_000,
    onReply: () => undefined,
    onError: (error) => errors.push(error),
    ...options,
  });
  return { reporter, reports, errors };
}

describe('the reporter', () => {
  it('sends events in order with growing numbers, and the outcome last', async () => {
    const { reporter, reports } = record();
    for (let n = 0; n < 450; n += 1) reporter.event('agent_output', { preview: String(n), lines: 1 });
    await reporter.outcome(anOutcome());
    const events = reports.flatMap((report) => report.events);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 450 }, (_, n) => n));
    expect(events.map(({ metadata }) => metadata.preview)).toEqual(
      Array.from({ length: 450 }, (_, n) => String(n)),
    );
    expect(reports.map(({ outcome }) => outcome !== null)).toEqual([
      ...reports.slice(1).map(() => false),
      true,
    ]);
  });

  it('cuts the log in pieces whose offsets count bytes', async () => {
    const { reporter, reports } = record({ logMaxBytes: 10_000_000 });
    const text = 'größe 🙂\n'.repeat(60_000);
    reporter.log(text);
    await reporter.outcome(anOutcome());
    let bytes = 0;
    for (const { log } of reports) {
      if (!log) continue;
      expect(log.offset).toBe(bytes);
      expect(log.text.length).toBeLessThanOrEqual(262_144);
      bytes += Buffer.byteLength(log.text);
    }
    expect(reports.map(({ log }) => log?.text ?? '').join('')).toBe(text);
  });

  it('keeps no more of the log than it may', async () => {
    const { reporter, reports } = record({ logMaxBytes: 10 });
    reporter.log('12345678');
    reporter.log('too much');
    reporter.log('90');
    await reporter.outcome(anOutcome());
    expect(reports.map(({ log }) => log?.text ?? '').join('')).toBe('1234567890');
  });

  it('beats when there is nothing to tell', async () => {
    const { reporter, reports } = record({ heartbeatMs: 60 });
    await vi.waitFor(() => expect(reports.length).toBeGreaterThan(1), { timeout: 20_000 });
    reporter.close();
    expect(reports[0]).toEqual({ events: [], log: null, outcome: null });
  });

  it('goes on after a report that is refused for good', async () => {
    const { reporter, reports, errors } = record({
      answer: (report, n) => {
        if (n === 1 && report.events.length > 0) throw new RefusedError('400');
      },
    });
    reporter.event('agent_output', { preview: 'odd', lines: 1 });
    await vi.waitFor(() => expect(reports).toHaveLength(1), { timeout: 20_000 });
    await reporter.outcome(anOutcome());
    expect(errors).toEqual([]);
    expect(reports.at(-1)).toMatchObject({ events: [], outcome: { result: 'changes' } });
  });

  it('cuts a long log between lines, so that nothing is cut that must be hidden', async () => {
    const { reporter, reports } = record({});
    const line = `${'x'.repeat(999)}\n`;
    reporter.log(line.repeat(450));
    await reporter.outcome(anOutcome());
    const texts = reports.map(({ log }) => log?.text ?? '');
    expect(texts.join('')).toBe(line.repeat(450));
    expect(texts.every((text) => text.endsWith('\n'))).toBe(true);
    expect(texts.length).toBeGreaterThan(1);
  });

  it('tells when the session is not wanted any more, and falls silent', async () => {
    const { reporter, reports, errors } = record({
      answer: () => {
        throw new SessionUnwantedError('stale');
      },
    });
    reporter.event('agent_output', { preview: 'x', lines: 1 });
    await vi.waitFor(() => expect(errors).toHaveLength(1), { timeout: 20_000 });
    reporter.event('agent_output', { preview: 'y', lines: 1 });
    await expect(reporter.outcome(anOutcome())).rejects.toThrow();
    expect(reports).toHaveLength(1);
  });
});
