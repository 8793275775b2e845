import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BedrockAgentCoreClient } from '@aws-sdk/client-bedrock-agentcore';
import { createProcessTree, type ProcessTree } from '../../src/processes/process-tree.ts';

/**
 * The data plane of Amazon Bedrock AgentCore, as far as sessions use it: an invocation of a session id that has no session starts
 * one, which is the service program as a real process; stopping one kills everything in it.
 */
export interface FakeAgentCore {
  url: string;
  client(): Promise<BedrockAgentCoreClient>;
  /** Invocations and stops so far. */
  readonly calls: readonly string[];
  /** By session id: all there ever were, the newest last. */
  readonly sessions: ReadonlyMap<string, readonly FakeMicroVm[]>;
  capacity: number;
  /** Answers to the next calls; `lost`: it's done, and nobody hears of it. */
  next: { invoke: Answer[]; stop: Answer[] };
  /** Ends sessions that have been idle, as AgentCore does by what `/ping` says. Returns their ids. */
  reapIdle(): Promise<string[]>;
  close(): Promise<void>;
}

type Answer = 'lost' | { error: string; status: number } | { text: string };

export interface FakeMicroVm {
  userId: string | undefined;
  alive: boolean;
  url: string;
  tree: ProcessTree;
}

export interface FakeAgentCoreOptions {
  folder: string;
  capacity: number;
  /** Program and arguments of the image; it prints the address that it serves at. */
  command(environment: Record<string, string>): readonly [string, ...string[]];
  environment: Record<string, string>;
}

export async function createFakeAgentCore(options: FakeAgentCoreOptions): Promise<FakeAgentCore> {
  const sessions = new Map<string, FakeMicroVm[]>();
  const calls: string[] = [];
  const children: ChildProcess[] = [];
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agentCore = new BedrockAgentCoreClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  const starting = new Map<string, Promise<FakeMicroVm>>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const id = header(request, 'session-id') ?? '';
    const isStop = request.url?.includes('/stopruntimesession') ?? false;
    calls.push(isStop ? 'StopRuntimeSession' : 'InvokeAgentRuntime');
    const planned = fake.next[isStop ? 'stop' : 'invoke'].shift();
    if (typeof planned === 'object' && 'error' in planned)
      return problem(response, planned.status, planned.error);
    if (typeof planned === 'object')
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(planned.text);
    if (id.length < 33) return problem(response, 400, 'ValidationException');
    if (isStop) return stop(id, response);
    const vm = await liveSession(id, header(request, 'user-id'));
    if (!vm) return problem(response, 402, 'ServiceQuotaExceededException');
    const reply = await fetch(`${vm.url}/invocations`, { method: 'POST', body: Buffer.concat(chunks) });
    const text = await reply.text();
    if (planned === 'lost') return void request.socket.destroy();
    if (!reply.ok) return problem(response, 424, 'RuntimeClientError');
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  }

  const live = (id: string) => sessions.get(id)?.find(({ alive }) => alive);

  async function liveSession(id: string, userId: string | undefined): Promise<FakeMicroVm | undefined> {
    const known = live(id) ?? starting.get(id);
    if (known) return known;
    if ([...sessions.keys()].filter(live).length + starting.size >= fake.capacity) return undefined;
    const begun = begin(id, userId).finally(() => starting.delete(id));
    starting.set(id, begun);
    return begun;
  }

  async function begin(id: string, userId: string | undefined): Promise<FakeMicroVm> {
    const before = sessions.get(id) ?? [];
    const mark = `${id}-${before.length}`;
    const cwd = join(options.folder, mark);
    mkdirSync(cwd);
    const environment = { ...options.environment, BGAGENT_SERVICE_PORT: '0', FAKE_MICRO_VM: mark };
    const [program, ...args] = options.command(environment);
    const child = spawn(program, args, {
      cwd,
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    children.push(child);
    const tree = createProcessTree({ marker: `FAKE_MICRO_VM=${mark}`, folders: [cwd] });
    if (child.pid !== undefined) tree.add(child.pid);
    const url = await addressOf(child);
    const vm: FakeMicroVm = { userId, alive: true, url, tree };
    sessions.set(id, [...before, vm]);
    return vm;
  }

  async function stop(id: string, response: ServerResponse): Promise<void> {
    const vm = live(id);
    if (!vm) return problem(response, 404, 'ResourceNotFoundException');
    await end(vm);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }

  async function end(vm: FakeMicroVm): Promise<void> {
    vm.alive = false;
    await vm.tree.kill();
  }

  const fake: FakeAgentCore = {
    url: `http://127.0.0.1:${port}`,
    client: async () => agentCore,
    calls,
    sessions,
    capacity: options.capacity,
    next: { invoke: [], stop: [] },
    async reapIdle() {
      const idle: string[] = [];
      for (const id of sessions.keys()) {
        const vm = live(id);
        if (!vm) continue;
        const answer = await fetch(`${vm.url}/ping`);
        const { status, time_of_last_update } = (await answer.json()) as Record<string, unknown>;
        // Without the second field even a busy session counts as idle.
        if (status === 'HealthyBusy' && typeof time_of_last_update === 'number') continue;
        await end(vm);
        idle.push(id);
      }
      return idle;
    },
    async close() {
      for (const vms of sessions.values()) for (const vm of vms) await end(vm);
      for (const child of children) child.kill('SIGKILL');
      agentCore.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[`x-amzn-bedrock-agentcore-runtime-${name}`];
  return typeof value === 'string' ? value : undefined;
};

/** The line on standard error by which the service says where it is. */
function addressOf(child: ChildProcess): Promise<string> {
  let printed = '';
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the service ended: ${printed}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-10_000);
      const [, port] = /^serving .* at http:\/\/[^:]+:(\d+)$/m.exec(printed) ?? [];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
  });
}

const problem = (response: ServerResponse, status: number, code: string): void =>
  void response
    .writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': code })
    .end(JSON.stringify({ message: code }));
