import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createRunnerWorld,
  fileOnBranch,
  type RunnerWorld,
  sandboxMissing,
} from '../../test/fixtures/runner.ts';
import { appendNudge } from './agents/command/nudge-file.ts';
import { createNudges } from './nudges.ts';

const aNudge = (nudge_id: string, message = `message ${nudge_id}`) => ({ nudge_id, message });

describe('nudges', () => {
  const events: unknown[] = [];
  beforeEach(() => void events.splice(0));
  const nudges = () =>
    createNudges({ reporter: { event: (type, metadata) => void events.push([type, metadata]) } });

  it('wait for an agent, and come in order, each once, however often the platform repeats them', () => {
    const box = nudges();
    const heard: string[] = [];
    box.offer([aNudge('a'), aNudge('b')]);
    box.offer([aNudge('a'), aNudge('b'), aNudge('c')]);
    box.listen(({ nudge_id }) => heard.push(nudge_id));
    box.offer([aNudge('b'), aNudge('d')]);
    for (const id of [...heard, ...heard]) box.delivered(id, 'file');
    box.offer([aNudge('a')]);
    expect(heard).toEqual(['a', 'b', 'c', 'd']);
    expect(events).toEqual(heard.map((nudge_id) => ['nudge_delivered', { nudge_id, how: 'file' }]));
  });

  it('that an agent left without having them wait for the next one', () => {
    const box = nudges();
    const stop = box.listen(({ nudge_id }) => nudge_id === 'a' && box.delivered(nudge_id, 'turn'));
    box.offer([aNudge('a'), aNudge('b')]);
    stop();
    box.offer([aNudge('c')]);
    const heard: string[] = [];
    box.listen(({ nudge_id }) => heard.push(nudge_id));
    expect(heard).toEqual(['b', 'c']);
  });

  it('that nobody can be told any more are refused, also those still to come', () => {
    const box = nudges();
    box.offer([aNudge('a')]);
    box.refuseRest('the agent had ended');
    box.offer([aNudge('a'), aNudge('b')]);
    expect(events).toEqual(
      ['a', 'b'].map((nudge_id) => ['nudge_refused', { nudge_id, reason: 'the agent had ended' }]),
    );
  });
});

describe('the file of nudges', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bgagent-nudges-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has a line of JSON for each', async () => {
    const file = join(folder, 'nudges.jsonl');
    await appendNudge(file, aNudge('a', 'two\nlines "quoted" ä'));
    await appendNudge(file, aNudge('b'));
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      aNudge('a', 'two\nlines "quoted" ä'),
      aNudge('b'),
    ]);
  });

  it('is not written through a link that the agent has put there', async () => {
    const [target, file] = [join(folder, 'target'), join(folder, 'nudges.jsonl')];
    writeFileSync(target, 'as it was');
    symlinkSync(target, file);
    await expect(appendNudge(file, aNudge('a'))).rejects.toThrow();
    expect(readFileSync(target, 'utf8')).toBe('as it was');
  });
});

/** Waits until its file has as many lines as it is told, and keeps them. */
const waitForLines = (lines: number): string =>
  `echo begun; until [ "$(cat "$BGAGENT_NUDGE_FILE" 2>/dev/null | wc -l)" -ge ${lines} ]; do sleep 0.05; done; cp "$BGAGENT_NUDGE_FILE" seen.txt`;

const noSandbox = await sandboxMissing();

describe('an agent at work', () => {
  let world: RunnerWorld;
  beforeEach(async () => {
    world = await createRunnerWorld();
  });
  afterEach(() => world.close());

  const told = (events: readonly { event_type: string; metadata: unknown }[], type: string) =>
    events.filter(({ event_type }) => event_type === type).map(({ metadata }) => metadata);

  it.each([
    ['without a sandbox', false],
    [`in the sandbox${noSandbox ? ` (skipped: ${noSandbox})` : ''}`, true],
  ])('of the kind `command` finds them in its file: %s', async (_, sandbox) => {
    if (sandbox && noSandbox) return;
    const task = await world.start({
      sandbox,
      command: waitForLines(2),
      payload: { heartbeat_interval_s: 0.1 },
    });
    await task.platform.seen('agent_output');
    task.platform.reply = { cancel_requested: false, nudges: [aNudge('a', 'More haste.'), aNudge('b')] };
    const { outcome, payload, platform } = await task.ended;
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(told(platform.events, 'nudge_delivered')).toEqual([
      { nudge_id: 'a', how: 'file' },
      { nudge_id: 'b', how: 'file' },
    ]);
    const seen = fileOnBranch(world.repo, payload.repo.branch_name, 'seen.txt') ?? '';
    expect(seen.split('\n').map((line) => JSON.parse(line).message)).toEqual(['More haste.', 'message b']);
  });

  it('is told what came before it began', async () => {
    const task = await world.start({ command: waitForLines(1) });
    task.platform.reply = { cancel_requested: false, nudges: [aNudge('early')] };
    const { outcome } = await task.ended;
    expect(outcome).toMatchObject({ result: 'changes' });
  });
});
