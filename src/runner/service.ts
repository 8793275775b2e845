import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { messageOf } from '../task/errors.ts';
import { parseJson } from '../task/json.ts';

/**
 * The runner as Amazon Bedrock AgentCore wants it: a server with `/ping` and `/invocations`, one for each session. It runs one
 * task, once: what has begun is never begun again.
 */
export interface RunnerService {
  url: string;
  /** Ends the runner as SIGTERM would, waits for its end, and closes. */
  close(): Promise<void>;
}

export interface RunnerServiceOptions {
  host: string;
  /** 0 = any free one. */
  port: number;
  /** Program and arguments that run a task by the address in BGAGENT_BOOTSTRAP_URL. */
  command: readonly [string, ...string[]];
  /** The environment of the runner, without secrets. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  now(): number;
  log(text: string): void;
}

const taskSchema = { task_id: z.string().min(1).max(100), attempt: z.number().int().min(1) };
const invocationSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('start'), ...taskSchema, bootstrap_url: z.url() }),
  z.object({ action: z.literal('stop'), ...taskSchema, grace_ms: z.number().min(0).max(600_000) }),
]);
type Invocation = z.infer<typeof invocationSchema>;

const MAX_BODY_BYTES = 65_536;

interface Run {
  session: string;
  child: ChildProcess;
  /** Null while it runs. */
  end: { exitCode: number | null } | null;
  ended: Promise<unknown>;
}

export async function createRunnerService(options: RunnerServiceOptions): Promise<RunnerService> {
  const { now, log } = options;
  let run: Run | undefined;
  let changedAt = now();

  function start({ task_id, attempt, bootstrap_url }: Extract<Invocation, { action: 'start' }>): Reply {
    const session = `${task_id}-${attempt}`;
    if (run && run.session !== session)
      return [409, { error: `this session belongs to ${run.session}, not to ${session}` }];
    if (run) return [200, { status: 'already-started', ...endOf(run) }];
    const [program, ...args] = options.command;
    const child = spawn(program, args, {
      env: { ...options.environment, BGAGENT_BOOTSTRAP_URL: bootstrap_url },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const begun: Run = { session, child, end: null, ended: over(child) };
    child.once('error', (error) => log(`the runner could not be started: ${messageOf(error)}\n`));
    void begun.ended.then(() => {
      begun.end = { exitCode: child.exitCode };
      changedAt = now();
    });
    run = begun;
    changedAt = now();
    return [200, { status: 'started', running: true }];
  }

  async function stop({
    task_id,
    attempt,
    grace_ms,
  }: Extract<Invocation, { action: 'stop' }>): Promise<Reply> {
    // Asked about an ended session, AgentCore starts a fresh one: this one, which knows nothing.
    if (run?.session !== `${task_id}-${attempt}`) return [200, { status: 'not-started', running: false }];
    if (run.end === null) run.child.kill('SIGTERM');
    await endWithin(run.ended, grace_ms);
    return [200, { status: run.end === null ? 'still-running' : 'ended', ...endOf(run) }];
  }

  async function answer(request: IncomingMessage): Promise<Reply> {
    const path = new URL(request.url ?? '/', 'http://service').pathname;
    if (path === '/ping' && request.method === 'GET') {
      const busy = run !== undefined && run.end === null;
      // Without the second field AgentCore ends a busy session as if it were idle.
      return [
        200,
        { status: busy ? 'HealthyBusy' : 'Healthy', time_of_last_update: Math.floor(changedAt / 1_000) },
      ];
    }
    if (path !== '/ping' && path !== '/invocations') return [404, { error: `no such path: ${path}` }];
    if (path === '/ping' || request.method !== 'POST') return [405, { error: `not by ${request.method}` }];
    const text = await bodyOf(request);
    if (text === undefined) return [413, { error: `the body is over ${MAX_BODY_BYTES} bytes` }];
    const invocation = invocationSchema.safeParse(parseJson(text));
    if (!invocation.success) {
      const [issue] = invocation.error.issues;
      return [400, { error: `${issue?.path.join('.') || 'the body'}: ${issue?.message}` }];
    }
    return invocation.data.action === 'start' ? start(invocation.data) : stop(invocation.data);
  }

  const server = createServer((request, response) => {
    answer(request).then(
      (reply) => send(response, reply),
      (error: unknown) => {
        log(`${request.url}: ${messageOf(error)}\n`);
        send(response, [500, { error: 'the service failed: see its log' }]);
      },
    );
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    async close() {
      if (run && run.end === null) run.child.kill('SIGTERM');
      await run?.ended;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Reply = [status: number, body: Record<string, unknown>];

const endOf = ({ end }: Run): Record<string, unknown> =>
  end === null ? { running: true } : { running: false, exit_code: end.exitCode };

/** Resolves when the process has ended, or could not be started. */
const over = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });

async function endWithin(ended: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    ended,
    new Promise((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}

/** Undefined when it's too large. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, [status, body]: Reply): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
