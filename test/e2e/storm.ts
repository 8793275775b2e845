import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../../src/sqlite/open.ts';
import type { Delivery } from '../../src/stores/delivery-store.ts';
import { createSqliteStores, storeMigrations } from '../../src/stores/sqlite/stores.ts';
import { createIdSource } from '../../src/task/ids.ts';
import { type MailFault, type MailServer, startMailServer } from '../fakes/mail-server.ts';
import { type SlackFault, type SlackServer, startSlackServer } from '../fakes/slack-server.ts';
import type { StormArguments } from '../fixtures/storm-program.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/storm-program.ts', import.meta.url));

export interface StormOptions {
  tasks: number;
  eventsPerTask: number;
  /** How often the process is killed while it works. */
  kills: number;
  /** Share of calls that fail. */
  failing: number;
  /** From 0 to 1, the same for the same seed. */
  random(): number;
}

export interface StormResult {
  slack: SlackServer;
  mail: MailServer;
  tasks: StormArguments['tasks'];
  /** The ledger as it was when nothing moved any more, before what had failed was tried again, and after. */
  before: Delivery[];
  after: Delivery[];
  killed: number;
  close(): Promise<void>;
}

/** Events over tasks, every channel failing at random, the process killed: then what failed for good is replayed. */
export async function runStorm({
  tasks: count,
  eventsPerTask,
  kills,
  failing,
  random,
}: StormOptions): Promise<StormResult> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-storm-'));
  const [slack, mail] = [await startSlackServer({ channels: ['C1'] }), await startMailServer()];
  const close = async (): Promise<void> => {
    await Promise.all([slack.close(), mail.close()]);
    await rm(folder, { recursive: true });
  };
  try {
    const newId = createIdSource(() => Date.parse('2029-12-31T00:00:00.000Z'));
    const tasks = Array.from({ length: count }, (_, index) => ({
      id: newId(),
      mentionTs: index % 2 === 0 ? slack.say('C1', 'please') : null,
    }));
    const args = { folder, slackUrl: slack.apiUrl, smtpUrl: mail.url, tasks, eventsPerTask };
    slack.chance = (method) => (random() < failing ? slackFault(method, random) : undefined);
    mail.chance = () => (random() < failing ? mailFault(random) : undefined);

    // Killed at a number of calls, not at a time: on every machine in the middle of the work.
    const perKill = Math.max(10, Math.floor((count * 5) / (kills + 1)));
    let killed = 0;
    while (killed < kills) {
      const child = start({ ...args, replay: false });
      const from = slack.calls.length;
      const target = perKill * (0.5 + random());
      if (await endsBefore(child, () => slack.calls.length - from >= target)) break;
      child.kill('SIGKILL');
      await once(child, 'exit');
      killed += 1;
    }
    await finish(start({ ...args, replay: false }));
    const before = await ledgerOf(folder);
    // What was refused is mended by people, and sent again.
    slack.chance = () => undefined;
    mail.chance = () => undefined;
    await finish(start({ ...args, replay: true }));
    return { slack, mail, tasks, before, after: await ledgerOf(folder), killed, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function start(args: StormArguments): ChildProcess {
  return spawn(process.execPath, [PROGRAM, JSON.stringify(args)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env.PATH ?? '' },
  });
}

async function finish(child: ChildProcess): Promise<void> {
  if (child.exitCode === null) await once(child, 'exit');
  if (child.exitCode !== 0)
    throw new Error(`the storm's process ended with ${child.exitCode ?? child.signalCode}`);
}

/** True when the process has ended by itself before the moment came. */
async function endsBefore(child: ChildProcess, moment: () => boolean): Promise<boolean> {
  while (!moment()) {
    if (child.exitCode !== null) return true;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return child.exitCode !== null;
}

async function ledgerOf(folder: string): Promise<Delivery[]> {
  const database = await openDatabase({ file: join(folder, 'storm.db'), migrations: [storeMigrations] });
  const { deliveries } = createSqliteStores({ database, now: Date.now });
  const all: Delivery[] = [];
  for (let nextToken: string | undefined; ; ) {
    const page = await deliveries.list({ limit: 500, nextToken });
    all.push(...page.items);
    if (page.nextToken === null) break;
    nextToken = page.nextToken;
  }
  await database.close();
  return all;
}

/** Passing errors, and at posts also final ones, answers that are lost after the work was done, and work that is done twice. */
function slackFault(method: string, random: () => number): SlackFault {
  const passing: SlackFault[] = [
    { kind: 'error', code: 'service_unavailable' },
    { kind: 'error', code: 'internal_error' },
    { kind: 'status', status: 502 },
    { kind: 'drop' },
    { kind: 'status', status: 504, accept: true },
    { kind: 'drop', accept: true },
  ];
  const posting: SlackFault[] = [
    { kind: 'error', code: 'is_archived' },
    { kind: 'drop', accept: true, times: 2 },
    { kind: 'hang', accept: true },
  ];
  const faults = method === 'chat.postMessage' ? [...passing, ...passing, ...posting] : passing;
  return faults[Math.floor(random() * faults.length)] ?? { kind: 'drop' };
}

function mailFault(random: () => number): MailFault {
  const faults: MailFault[] = [
    { at: 'rcpt', code: 450, message: 'greylisted' },
    { at: 'data', code: 451, message: 'try later' },
    { at: 'rcpt', code: 550, message: 'no such user' },
    { at: 'data', kind: 'accept-and-drop' },
  ];
  return faults[Math.floor(random() * faults.length)] ?? { at: 'data', code: 451, message: 'try later' };
}
