import type { EventMetadata, EventType } from '../task/events.ts';
import type { OutcomeReport, ReportReply, ReportRequest } from '../task/protocol.ts';
import { type Platform, RefusedError } from './platform.ts';

/** Tells the platform what happens, in order, as often as it takes. */
export interface Reporter {
  event<T extends EventType>(type: T, metadata: EventMetadata<T>): void;
  /** Appends to the task's log. The text must be redacted. */
  log(text: string): void;
  /** Sends the outcome after everything before it; resolves when the platform has taken it. */
  outcome(report: OutcomeReport): Promise<void>;
  close(): void;
}

export interface ReporterOptions {
  platform: Pick<Platform, 'report'>;
  now(): number;
  /** Milliseconds; a report is sent at least this often. */
  heartbeatMs: number;
  /** Bytes of log that are sent; the rest is counted. */
  logMaxBytes: number;
  onReply(reply: ReportReply): void;
  /** The platform doesn't want this session any more, or can't be told. */
  onError(error: unknown): void;
}

const MAX_EVENTS = 200;
const MAX_LOG_CHARS = 200_000;
/** Events that come right after each other share a report. */
const GATHER_MS = 5;

type Report = Omit<ReportRequest, 'attempt' | 'runner_id'>;

export function createReporter({
  platform,
  now,
  heartbeatMs,
  logMaxBytes,
  onReply,
  onError,
}: ReporterOptions): Reporter {
  const events: Report['events'] = [];
  let seq = 0;
  let pendingLog = '';
  /** Bytes that the platform has acknowledged, and bytes taken in altogether. */
  let sentBytes = 0;
  let loggedBytes = 0;
  let outcome: { report: OutcomeReport; done: PromiseWithResolvers<void> } | undefined;
  let sending = false;
  let closed = false;
  let lastSentAt = now();
  let timer: NodeJS.Timeout | undefined;

  const heartbeat = setInterval(
    () => {
      if (!sending && now() - lastSentAt >= heartbeatMs * 0.9) void flush(true);
    },
    Math.max(20, heartbeatMs / 4),
  );
  heartbeat.unref();

  function nextReport(beat: boolean): Report | undefined {
    const batch = events.slice(0, MAX_EVENTS);
    const text = sliceWhole(pendingLog, MAX_LOG_CHARS);
    const last = batch.length === events.length && text.length === pendingLog.length;
    const ending = last && outcome ? outcome.report : null;
    if (!beat && batch.length === 0 && text === '' && !ending) return undefined;
    return { events: batch, log: text === '' ? null : { offset: sentBytes, text }, outcome: ending };
  }

  function acknowledge(report: Report): void {
    events.splice(0, report.events.length);
    if (report.log) {
      pendingLog = pendingLog.slice(report.log.text.length);
      sentBytes += Buffer.byteLength(report.log.text);
    }
  }

  async function flush(beat = false): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (sending || closed) return;
    sending = true;
    try {
      for (let report = nextReport(beat); report && !closed; report = nextReport(false)) {
        const reply = await send(report);
        lastSentAt = now();
        acknowledge(report);
        if (reply) onReply(reply);
        if (report.outcome) {
          closed = true;
          outcome?.done.resolve();
        }
      }
    } catch (error) {
      closed = true;
      outcome?.done.reject(error);
      onError(error);
    } finally {
      sending = false;
    }
  }

  async function send(report: Report): Promise<ReportReply | undefined> {
    try {
      return await platform.report(report);
    } catch (error) {
      // Refused for good: without it the next ones can still get through. An outcome has no next one.
      if (!(error instanceof RefusedError) || report.outcome) throw error;
      return undefined;
    }
  }

  const soon = (): void => {
    if (!closed) timer ??= setTimeout(() => void flush(), GATHER_MS);
  };

  return {
    event(type, metadata) {
      if (closed) return;
      events.push({ seq, event_type: type, timestamp: new Date(now()).toISOString(), metadata });
      seq += 1;
      soon();
    },
    log(text) {
      const bytes = Buffer.byteLength(text);
      if (closed || text === '' || loggedBytes + bytes > logMaxBytes) return;
      loggedBytes += bytes;
      pendingLog += text;
      soon();
    },
    outcome(report) {
      if (closed) return Promise.reject(new Error('the platform takes no more reports'));
      const done = Promise.withResolvers<void>();
      outcome = { report, done };
      void flush();
      return done.promise;
    },
    close() {
      closed = true;
      clearInterval(heartbeat);
      clearTimeout(timer);
    },
  };
}

/** At most `length` units: whole lines where there are some, since what is cut in two can't be hidden; whole characters always. */
function sliceWhole(text: string, length: number): string {
  if (text.length <= length) return text;
  const lineEnd = text.lastIndexOf('\n', length - 1) + 1;
  if (lineEnd > 0) return text.slice(0, lineEnd);
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}
