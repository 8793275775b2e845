import { mkdir, realpath, rm } from 'node:fs/promises';
import { createGit } from '../forge/git/git.ts';
import { messageOf } from '../task/errors.ts';
import type { Bootstrap, OutcomeReport, Payload } from '../task/protocol.ts';
import { createCredentials } from './credentials.ts';
import { runFolders } from './folders.ts';
import { createHttpClient } from './http.ts';
import { createNudges } from './nudges.ts';
import { createOutputLog } from './output.ts';
import { createPhases } from './phases.ts';
import { createPlatform, type Platform, SessionUnwantedError } from './platform.ts';
import { createRedactor, type Redactor } from './redact.ts';
import { createReporter } from './reporter.ts';
import { createStop, type Stop } from './stop.ts';
import { doWork } from './work.ts';

const EXIT = { done: 0, failed: 1, unwanted: 3 } as const;

export interface RunOptions {
  bootstrap: Bootstrap;
  /** Says which process this is; a second start of the same attempt by another process is refused. */
  runnerId: string;
  /** The runner's environment: PATH, HOME, LANG and what git needs. */
  environment: Readonly<Record<string, string | undefined>>;
  now(): number;
  /** Milliseconds that only grow. */
  clock(): number;
  random(): number;
  /** A line for the runner's own log; no secret may get there. */
  log(text: string): void;
  /** Tells the runner to end: SIGTERM and the like. */
  onTerminate(terminate: () => void): void;
  /** False when the session's own folder is gone. */
  isWanted(): Promise<boolean>;
}

/** How long an answer of the platform may take. */
const ANSWER_LIMIT_MS = 30_000;

/** One attempt of a task from start to acknowledged outcome. Resolves to the exit code. */
export async function runTask(options: RunOptions): Promise<number> {
  const { bootstrap, log } = options;
  const stop = createStop();
  const patience = new AbortController();
  const http = createHttpClient({ timeoutMs: ANSWER_LIMIT_MS });
  const platform = createPlatform({
    bootstrap,
    runnerId: options.runnerId,
    http,
    random: options.random,
    signal: patience.signal,
    note: log,
    isWanted: options.isWanted,
  });
  let begun = false;
  options.onTerminate(() => {
    stop.now({ kind: 'cancelled' });
    // Nothing has been done yet, so there is nothing to tell.
    if (!begun) patience.abort(new SessionUnwantedError('terminated before it began'));
  });
  try {
    // Asked at the same time: what a refused start has read of the payload is thrown away.
    const [payload] = await Promise.all([platform.payload(), platform.start()]);
    begun = true;
    return await runPayload(options, { payload, platform, stop });
  } catch (error) {
    log(`${messageOf(error)}\n`);
    return error instanceof SessionUnwantedError ? EXIT.unwanted : EXIT.failed;
  } finally {
    patience.abort(new Error('the run has ended'));
    http.close();
  }
}

async function runPayload(
  options: RunOptions,
  { payload, platform, stop }: { payload: Payload; platform: Platform; stop: Stop },
): Promise<number> {
  const { bootstrap, now, clock, log } = options;
  const secrets = [...payload.redact, bootstrap.token];
  const redactor = growingRedactor(secrets);
  const reporter = createReporter({
    platform,
    now,
    heartbeatMs: payload.heartbeat_interval_s * 1_000,
    logMaxBytes: payload.limits.output_max_bytes + LOG_MARGIN_BYTES,
    onReply: (reply) => {
      if (reply.cancel_requested) stop.now({ kind: 'cancelled' });
      nudges.offer(reply.nudges);
    },
    onError: (error) => {
      log(`${messageOf(error)}\n`);
      stop.now({ kind: 'unwanted', message: messageOf(error) });
    },
  });
  const nudges = createNudges({ reporter });
  const output = createOutputLog({
    redactor,
    maxBytes: payload.limits.output_max_bytes,
    now,
    append: (text) => reporter.log(text),
    sample: (preview, lines) => reporter.event('agent_output', { preview, lines }),
  });
  // Links on the way would hide from the sandbox what it must open.
  await mkdir(bootstrap.work_dir, { recursive: true, mode: 0o700 });
  const workDir = await realpath(bootstrap.work_dir);
  const folders = runFolders(workDir, {
    taskId: payload.task_id,
    attempt: payload.attempt,
    cacheKey: payload.repo.cache_key,
  });
  const deadline = setTimeout(
    () => stop.now({ kind: 'timed-out' }),
    Math.max(0, Date.parse(payload.limits.deadline_at) - now()),
  );
  try {
    const outcome = await doWork({
      payload,
      workDir,
      agentUser: bootstrap.agent_user,
      folders,
      git: createGit({ environment: options.environment }),
      ...createCredentials({ platform, now, hide: (...values) => void secrets.push(...values) }),
      redact: (text) => redactor.text(text),
      findSecret: redactor.find,
      environment: options.environment,
      reporter,
      output,
      phases: createPhases({ reporter, clock }),
      stop,
      nudges,
      now,
      random: options.random,
    });
    await reporter.outcome(redacted(outcome, redactor));
    return EXIT.done;
  } catch (error) {
    if (stop.reason?.kind !== 'unwanted') throw error;
    // Without a trace: another attempt has the task now.
    await rm(folders.root, { recursive: true, force: true });
    return EXIT.unwanted;
  } finally {
    clearTimeout(deadline);
    reporter.close();
  }
}

/** Room for the runner's own lines beside the agent's. */
const LOG_MARGIN_BYTES = 256 * 1024;

/** Of values of which more may come to be known. */
function growingRedactor(secrets: readonly string[]): Redactor {
  let known = -1;
  let current = createRedactor([]);
  const now = (): Redactor => {
    if (known !== secrets.length) current = createRedactor(secrets);
    known = secrets.length;
    return current;
  };
  return {
    text: (text) => now().text(text),
    find: (text) => now().find(text),
    stream: () => now().stream(),
  };
}

const redacted = (outcome: OutcomeReport, redactor: Redactor): OutcomeReport => ({
  ...outcome,
  summary: outcome.summary === null ? null : redactor.text(outcome.summary),
  review: outcome.review && {
    summary: redactor.text(outcome.review.summary),
    comments: outcome.review.comments.map(({ path, line, body }) => ({
      path: redactor.text(path),
      line,
      body: redactor.text(body),
    })),
  },
  diff: outcome.diff === null ? null : redactor.text(outcome.diff),
  error: outcome.error && { ...outcome.error, message: redactor.text(outcome.error.message) },
});
